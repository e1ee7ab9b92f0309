"""Removing the objects of a photo whose row is gone."""

from __future__ import annotations

import logging

from photogate.domain.changes import Outcome
from photogate.errors import PhotogateError
from photogate.ports.photos import PhotoStore
from photogate.ports.records import Outbox

logger = logging.getLogger(__name__)


def remove_objects(store: PhotoStore, outbox: Outbox, gone: Outcome) -> None:
    """Remove a deleted photo's objects now; the sweep does it when the store does not answer."""
    for key in gone.object_keys:
        if not remove(store, outbox, key):
            return  # the others are noted as well, and a client waits


def remove(store: PhotoStore, outbox: Outbox, file_key: str) -> bool:
    """Remove an object that is noted for removal; False when that is left to the sweep."""
    try:
        store.delete(file_key)
        outbox.deleted(file_key)
    except PhotogateError as error:
        logger.warning("the deletion of %s is left to the sweep: %s", file_key, error)
        return False
    return True

"""Removing the object of a photo whose row is gone."""

from __future__ import annotations

import logging

from photogate.domain.changes import Outcome
from photogate.errors import PhotogateError
from photogate.ports.photos import PhotoStore
from photogate.ports.records import Outbox

logger = logging.getLogger(__name__)


def remove_object(store: PhotoStore, outbox: Outbox, gone: Outcome) -> None:
    """Remove a deleted photo's object now; the sweep does it when the store does not answer."""
    assert gone.file_key is not None  # noqa: S101 - of a deletion
    remove(store, outbox, gone.file_key)


def remove(store: PhotoStore, outbox: Outbox, file_key: str) -> bool:
    """Remove an object that is noted for removal; tells whether that worked."""
    try:
        store.delete(file_key)
        outbox.deleted(file_key)
    except PhotogateError as error:
        logger.warning("the deletion of %s is left to the sweep: %s", file_key, error)
        return False
    return True

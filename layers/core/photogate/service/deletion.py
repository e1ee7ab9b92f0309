"""Removing the object of a photo whose row is gone."""

from __future__ import annotations

import logging

from photogate.errors import PhotogateError
from photogate.ports import Outbox, PhotoStore

logger = logging.getLogger(__name__)


def remove_object(store: PhotoStore, outbox: Outbox, file_key: str) -> None:
    """Remove it now, or leave it to the sweep when the store does not answer."""
    try:
        store.delete(file_key)
        outbox.deleted(file_key)
    except PhotogateError as error:
        logger.warning("the deletion of %s is left to the sweep: %s", file_key, error)

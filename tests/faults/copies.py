"""I6: what is approved is shown as a copy of what was judged, and nothing else is shown."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from photogate.domain.object_keys import COPIES, other_copy
from photogate.errors import NotFound
from photogate.ports.photos import PhotoStore

_MOST_BYTES = 20_000_000


def wrongly_shown(store: PhotoStore, row: Mapping[str, Any]) -> str | None:
    """Say what is wrong with what can be seen of a photo, or None.

    Args:
        row: of ``media``, once no copies are under way.
    """
    if row["moderation_status"] != "approved":
        if _read(store, row["url"]) is not None:
            return f"{row['moderation_status']}, but its url names an object: {row['url']}"
        return None
    if row["display_key"] is None:
        return f"approved without copies: {row['upload_key']}"
    if row["url"] != row["display_key"]:
        return f"its url is not its display copy: {row['url']}"
    kept, scores = _read(store, row["original_key"]), row["moderation_scores"] or {}
    if kept is None or hashlib.sha256(kept).hexdigest() != scores.get("sha256"):
        return f"what is kept is not what was judged: {row['original_key']}"
    for name in COPIES:
        copy = _read(store, other_copy(row["display_key"], name))
        if copy is None:
            return f"approved without its copy {name}: {row['upload_key']}"
        with Image.open(io.BytesIO(copy)) as image:
            image.load()
    return None


def _read(store: PhotoStore, key: str) -> bytes | None:
    try:
        return store.get(key, etag=None, max_bytes=_MOST_BYTES)
    except NotFound:
        return None

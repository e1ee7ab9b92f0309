"""What people see of a photo: its copies, and never bytes that a client wrote."""

from __future__ import annotations

from dataclasses import dataclass

from photogate.domain import PhotoRow
from photogate.domain.object_keys import COPY_SUFFIXES, other_copy
from photogate.errors import NotFound
from photogate.ports.photos import PhotoStore

#: No copy is larger.
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The bytes of a copy."""

    data: bytes
    content_type: str


def picture(store: PhotoStore, photo: PhotoRow, name: str) -> Picture:
    """Read one of a photo's copies, whatever the photo's state is.

    Args:
        name: one of ``photogate.domain.object_keys.COPIES``.

    Raises:
        NotFound: it has no copies, or not yet.
    """
    if photo.display_key is None:
        raise NotFound(
            f"there is no picture of photo {photo.id}: its copies are made within a minute of its"
            " verdict, and none can be made of what no decoder opened"
        )
    key = other_copy(photo.display_key, name)
    suffix = key.rpartition(".")[2]
    kind = next(kind for kind, known in COPY_SUFFIXES.items() if known == suffix)
    return Picture(
        data=store.get(key, etag=None, max_bytes=_MOST_BYTES),
        content_type=f"image/{kind.lower()}",
    )


def url_of(store: PhotoStore, photo: PhotoRow, *, otherwise: str, expires_in_s: int) -> str:
    """Sign the URL of what everybody may see; ``otherwise`` while there is no such thing."""
    if photo.shown_key is None:
        return otherwise
    return store.presign_get(photo.shown_key, expires_in_s=expires_in_s)

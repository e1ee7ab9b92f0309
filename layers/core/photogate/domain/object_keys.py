"""Keys of objects: what each prefix is for, and the keys of what we put there ourselves.

``incoming/`` holds what clients upload, and workers alone read it. ``kept/`` holds the bytes that
were judged, ``copies/`` what is shown. ``users/`` and anything else are keys of earlier layouts
and of adopted rows: read as before, but never written again.

Keys of what is ours are made from the photo and the sha256 of its bytes alone, so that a job that
is done twice writes the same objects. Nobody can guess them who does not have the bytes.
"""

from __future__ import annotations

#: Clients put here, and nowhere else.
INCOMING = "incoming/"
_KEPT = "kept/"

#: Every copy of a photo, by name.
COPIES = ("display", "thumb", "preview")
#: Formats of copies, and the suffix that their keys carry.
COPY_SUFFIXES = {"JPEG": "jpg", "WEBP": "webp"}


def kept_key(photo_id: str, sha256: str) -> str:
    """Give the key of the bytes that were judged; ``sha256`` in hexadecimal digits."""
    return f"{_KEPT}{photo_id}-{sha256}"


def is_kept(key: str) -> bool:
    """Tell whether an object is one that we put there, not a client."""
    return key.startswith(_KEPT)


def may_be_uploaded(key: str) -> bool:
    """Tell whether a client may ever be given a URL to put this object."""
    return key.startswith(INCOMING)


def may_be_viewed(key: str) -> bool:
    """Tell whether anybody may ever be given a URL to read this object."""
    return not key.startswith((INCOMING, _KEPT))


def copy_key(name: str, photo_id: str, sha256: str, *, suffix: str) -> str:
    """Give the key of one of ``COPIES`` of an original."""
    return f"copies/{name}/{photo_id}-{sha256}.{suffix}"


def other_copy(display_key: str, name: str) -> str:
    """Give the key of another copy of the photo whose display copy this is."""
    return display_key.replace("/display/", f"/{name}/", 1)


def copies_of(kept: str) -> tuple[str, ...]:
    """Give the keys of all copies that there can be of a kept original."""
    stem = kept.removeprefix(_KEPT)
    return tuple(
        f"copies/{name}/{stem}.{suffix}" for name in COPIES for suffix in COPY_SUFFIXES.values()
    )

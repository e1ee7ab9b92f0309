"""Keys of the objects that are ours: originals that were judged, and copies of them.

Made from the photo and the sha256 of its bytes alone, so that a job that is done twice writes the
same objects. No upload URL is ever signed for them.
"""

from __future__ import annotations

#: Every copy of a photo, by name.
COPIES = ("display", "thumb", "preview")
#: Formats of copies, and the suffix that their keys carry.
COPY_SUFFIXES = {"JPEG": "jpg", "WEBP": "webp"}


def kept_key(photo_id: str, sha256: str) -> str:
    """Give the key of the bytes that were judged; ``sha256`` in hexadecimal digits."""
    return f"kept/{photo_id}-{sha256}"


def is_kept(key: str) -> bool:
    """Tell whether an object is one that we put there, not a client."""
    return key.startswith("kept/")


def copy_key(name: str, photo_id: str, sha256: str, *, suffix: str) -> str:
    """Give the key of one of ``COPIES`` of an original."""
    return f"copies/{name}/{photo_id}-{sha256}.{suffix}"


def other_copy(display_key: str, name: str) -> str:
    """Give the key of another copy of the photo whose display copy this is."""
    return display_key.replace("/display/", f"/{name}/", 1)


def copies_of(kept: str) -> tuple[str, ...]:
    """Give the keys of all copies that there can be of a kept original."""
    stem = kept.removeprefix("kept/")
    return tuple(
        f"copies/{name}/{stem}.{suffix}" for name in COPIES for suffix in COPY_SUFFIXES.values()
    )

"""Object keys that prove whose they are: ``incoming/{user}/photo/{uuid}-{mac}.jpg``.

The MAC binds the key to the user, so ownership is checked without a row, and nobody
can hand in a key that was never given out. Keys of an earlier version begin with ``users/``
and are taken as well; no URL to upload to them is signed any more.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from uuid import uuid4

from photogate.domain.object_keys import INCOMING

#: Content types that may be uploaded, with the suffix that their keys carry.
SUFFIXES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
}

_KEY = re.compile(
    r"(?:incoming|users)/(?P<user>[^/]+)/photo/(?P<id>[0-9a-f]{32})-(?P<mac>[0-9a-f]{32})\.(?P<suffix>[a-z]+)"
)
_SAFE_USER = re.compile(r"[A-Za-z0-9_-]{1,128}")


class FileKeys:
    """Makes and checks keys with one secret.

    Args:
        secret: 32 bytes or more; when it changes, keys that were given out but not yet
            handed in are refused.
    """

    def __init__(self, secret: str) -> None:
        # Derived, so that the same secret may sign tokens as well.
        self._secret = hmac.digest(secret.encode(), b"photogate file keys 1", "sha256")

    def new(self, user_id: str, content_type: str) -> str:
        """Give a key that was never given before."""
        photo_id, suffix = uuid4().hex, SUFFIXES[content_type]
        mac = self._mac(user_id, photo_id, suffix)
        return f"{INCOMING}{user_segment(user_id)}/photo/{photo_id}-{mac}.{suffix}"

    def owned(self, user_id: str, key: str) -> bool:
        """Tell whether ``key`` was given to this user."""
        match = _KEY.fullmatch(key)
        if match is None or match["user"] != user_segment(user_id):
            return False
        return hmac.compare_digest(match["mac"], self._mac(user_id, match["id"], match["suffix"]))

    def _mac(self, user_id: str, photo_id: str, suffix: str) -> str:
        message = "\0".join((user_id, photo_id, suffix)).encode()
        return hmac.digest(self._secret, message, "sha256").hex()[:32]


def user_segment(user_id: str) -> str:
    """Give the user id as it stands in a key: itself, or ``~`` and a digest when unsafe there."""
    if _SAFE_USER.fullmatch(user_id):
        return user_id
    return "~" + hashlib.sha256(user_id.encode()).hexdigest()

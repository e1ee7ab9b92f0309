"""The ``FaceDetector`` port on CompreFace's detection service."""

from __future__ import annotations

import struct
import zlib
from typing import Any
from urllib.parse import urlencode

from urllib3.filepost import encode_multipart_formdata

from photogate.adapters.exchange import CONNECT_TIMEOUT_S, Exchange
from photogate.adapters.faces_compreface.answers import checked, faces_of
from photogate.domain import NEVER, Deadline, Face
from photogate.errors import FacesUnavailable, OutOfTime
from photogate.ports.vision import UprightPicture

#: All faces; below this probability CompreFace drops one: 0.8 is what its documentation
#: uses. ``gender`` comes because age and gender are one question to it; nothing reads it.
_QUERY = {
    "limit": "0",
    "det_prob_threshold": "0.8",
    "face_plugins": "age,gender",
    "status": "false",
}
#: Side of the picture by which ``check`` asks, in pixels.
_PLAIN_SIDE = 128


class ComprefaceFaces:
    """Asks CompreFace; also a ``Probe``. Thread-safe.

    Args:
        url: where CompreFace answers, without ``/api``.
        api_key: of a service of type DETECTION.
        timeout_s: longest time for one answer; connecting has 2 s beside it.
    """

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10.0) -> None:
        self._exchange = Exchange(
            url,
            timeout_s=timeout_s,
            name="CompreFace",
            setting="COMPREFACE_URL",
            failure=FacesUnavailable,
        )
        self._key = api_key
        #: Longest time for one picture, in seconds.
        self.longest_wait_s = timeout_s + CONNECT_TIMEOUT_S

    @property
    def tells_age(self) -> bool:
        """See ``photogate.ports.vision.FaceDetector.tells_age``."""
        return True

    def detect(self, picture: UprightPicture, deadline: Deadline = NEVER) -> list[Face]:
        """See ``photogate.ports.vision.FaceDetector.detect``."""
        jpeg = picture.jpeg()
        photo = ("photo.jpg", jpeg.data, "image/jpeg")
        try:
            return self._ask(photo, width=jpeg.width, height=jpeg.height, deadline=deadline)
        except FacesUnavailable as error:
            if deadline.passed:
                raise OutOfTime("ran out of time while CompreFace looked for faces") from error
            raise

    def check(self) -> dict[str, Any]:
        """See ``photogate.ports.probe.Probe.check``: whether it answers, knows the key and looks.

        Asks for the faces of a plain picture.

        Raises:
            FacesUnavailable: it does not answer, or its core does not.
            ConfigError: it refuses the key, or is no CompreFace.
        """
        # Needs no key, so that this tells an outage of the whole from one of the core.
        checked(self._exchange.call("GET", "/api/v1/consistence/status"))
        try:
            self._ask(
                ("plain.png", _plain_png(), "image/png"), width=_PLAIN_SIDE, height=_PLAIN_SIDE
            )
        except FacesUnavailable as error:
            raise FacesUnavailable(
                f"CompreFace is up, but cannot look at pictures: {error}"
            ) from error
        return {"kind": "compreface", "url": self._exchange.url, "core": "reachable"}

    def close(self) -> None:
        """Close the connections; they are opened again when needed."""
        self._exchange.close()

    def _ask(
        self,
        file: tuple[str, bytes, str],
        *,
        width: int,
        height: int,
        deadline: Deadline = NEVER,
    ) -> list[Face]:
        body, content_type = encode_multipart_formdata({"file": file})
        answer = self._exchange.call(
            "POST",
            f"/api/v1/detection/detect?{urlencode(_QUERY)}",
            body=body,
            headers={"x-api-key": self._key, "Content-Type": content_type},
            deadline=deadline,
        )
        return faces_of(answer, width=width, height=height)


def _plain_png() -> bytes:
    """Make a grey PNG (ISO/IEC 15948): no face, and no library that could draw one."""
    rows = (b"\0" + b"\x80" * _PLAIN_SIDE) * _PLAIN_SIDE
    header = struct.pack(">IIBBBBB", _PLAIN_SIDE, _PLAIN_SIDE, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )

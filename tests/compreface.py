"""A server that keeps CompreFace's contract, as its source and documentation of 1.2.0 have it.

It looks for faces with the embedded detector, in the very picture that it was sent, and
tells the ages that the test sets. It is not CompreFace, which could not be run here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from io import BytesIO
from typing import Any
from uuid import UUID

from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from photogate.ports.vision import FaceDetector
from photogate_vision.decoding.decode import Picture
from tests.servers import serve

KEY = "00000000-0000-4000-8000-00000000c0de"
#: Made for a service of another type.
FOREIGN_KEY = "00000000-0000-4000-8000-0000000f0e16"
MOST_FILE_BYTES = 5 * 1024 * 1024
SUFFIXES = {"jpeg", "jpg", "ico", "png", "bmp", "gif", "tif", "tiff", "webp"}
#: Its age classes; nothing lies between them.
AGES = ((0, 2), (4, 6), (8, 12), (15, 20), (25, 32), (38, 43), (48, 53), (60, 100))


class Refused(Exception):
    """An answer of CompreFace's that is no success."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Compreface:
    """What the server does, and what it saw."""

    detector: FaceDetector
    #: By place, the surest face first; the last goes for all that follow. None tells none.
    ages: list[Any] = field(default_factory=lambda: [(25, 32)])
    #: Whether its core, which looks at pictures, works.
    core: bool = True
    keys: set[str] = field(default_factory=lambda: {KEY})
    #: Size of each picture that it was sent.
    pictures: list[tuple[int, int]] = field(default_factory=list)
    #: Client ports: one per connection.
    connections: set[int] = field(default_factory=set)
    #: What stood in the header that is none of its own.
    authorizations: set[str | None] = field(default_factory=set)
    requests: int = 0

    @property
    def app(self) -> Starlette:
        """The API."""
        return Starlette(
            routes=[
                Route("/api/v1/detection/detect", self._detect, methods=["POST"]),
                Route("/api/v1/consistence/status", self._status),
            ]
        )

    def serve(self, *, port: int = 0) -> AbstractContextManager[str]:
        """Serve it; gives the URL."""
        return serve(self.app, port=port)

    async def _status(self, request: Request) -> Response:
        return JSONResponse({"dbIsInconsistent": False, "saveImagesToDB": False})

    async def _detect(self, request: Request) -> Response:
        assert request.client is not None
        self.requests += 1
        self.connections.add(request.client.port)
        self.authorizations.add(request.headers.get("authorization"))
        try:
            faces = self._found(request, await request.body())
        except Refused as refused:
            return JSONResponse(
                {"message": str(refused), "code": refused.code}, status_code=refused.status
            )
        return JSONResponse({"result": faces})

    def _found(self, request: Request, body: bytes) -> list[dict[str, Any]]:
        self._check_key(request.headers.get("x-api-key"))
        query = _query(request)
        name, data = _file(request.headers.get("content-type", ""), body)
        if name.rpartition(".")[2].lower() not in SUFFIXES:
            raise Refused(400, 21, "Please upload a file of an image")
        if len(data) > MOST_FILE_BYTES:
            raise Refused(400, 26, "The file is larger than 5 MB")
        image = Image.open(BytesIO(data)).convert("RGB")
        self.pictures.append(image.size)
        if not self.core:
            raise Refused(500, 41, "Error during synchronization between servers")
        found = self.detector.detect(
            Picture(image=image, width=image.width, height=image.height, format="JPEG", frames=1)
        )
        faces = [
            _described(face.box, face.score, image.size, self._age(place, query["plugins"]))
            for place, face in enumerate(found)
            if face.score >= query["threshold"]
        ]
        if not faces:
            raise Refused(400, 28, "No face is found in the given image")
        return faces[: query["limit"] or None]

    def _check_key(self, key: str | None) -> None:
        if key is None:
            raise Refused(400, 20, "Missing request header 'x-api-key'")
        try:
            UUID(key)
        except ValueError:
            raise Refused(400, 26, "x-api-key: must be a UUID") from None
        if key not in self.keys:
            raise Refused(404, 46, "Model with the given api key is not found: model not found")

    def _age(self, place: int, plugins: set[str]) -> dict[str, Any]:
        age = self.ages[min(place, len(self.ages) - 1)] if "age" in plugins else None
        if not isinstance(age, tuple):
            return {} if age is None else {"age": age}
        return {
            "age": {"low": age[0], "high": age[1], "probability": 0.97},
            "gender": {"value": "female", "probability": 0.99},
        }


def _query(request: Request) -> dict[str, Any]:
    try:
        limit = int(request.query_params.get("limit", "0"))
        threshold = float(request.query_params.get("det_prob_threshold", "0.8"))
    except ValueError as error:
        raise Refused(400, 36, f"Bad argument: {error}") from error
    plugins = set(filter(None, request.query_params.get("face_plugins", "").split(",")))
    if limit < 0 or not 0 <= threshold <= 1 or plugins - {"age", "gender", "landmarks"}:
        raise Refused(400, 36, "Bad argument")
    # CompreFace's detectors give higher probabilities than ours does.
    return {"limit": limit, "threshold": threshold - 0.3, "plugins": plugins}


def _file(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Take the part ``file`` out of a multipart body (RFC 7578)."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    if message.defects or [p.get_param("name", header="content-disposition") for p in parts] != [
        "file"
    ]:
        raise Refused(400, 26, "Required request part 'file' is not present")
    data = parts[0].get_payload(decode=True)
    assert isinstance(data, bytes)
    return parts[0].get_filename() or "", data


def _described(
    box: tuple[float, ...], score: float, size: tuple[int, int], age: dict[str, Any]
) -> dict[str, Any]:
    names = ("x_min", "y_min", "x_max", "y_max")
    pixels = [round(share * length) for share, length in zip(box, size * 2, strict=True)]
    return {"box": {"probability": score, **dict(zip(names, pixels, strict=True))}, **age}

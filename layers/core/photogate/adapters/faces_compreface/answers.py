"""What CompreFace's answers mean: faces, no face, an outage, or a wrong configuration.

An answer that does not make sense as a whole is an outage, for half of its faces would be
a wrong count. An age that does not make sense is unknown; the face stays.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WrapValidator
from pydantic import ValidatorFunctionWrapHandler as Handler

from photogate.adapters.exchange import Answer
from photogate.domain import AgeRange, Face
from photogate.errors import ConfigError, FacesUnavailable

#: CompreFace's code of "No face is found in the given image", with 400.
_NO_FACE = 28
#: Its code of a header that is missing, with 400; the key is the only one that it asks for.
_NO_KEY = 20
#: No person was older.
_OLDEST = 130
#: Longest wait that a queue knows.
_MOST_WAIT_S = 900.0

_KEY = (
    "set COMPREFACE_API_KEY to the key of a service of type DETECTION,"
    " as CompreFace's page shows it"
)
_URL = "set COMPREFACE_URL to where CompreFace's page opens, without a path"

#: May exceed 1 by the rounding of float32.
_Probability = Annotated[float, Field(ge=0, le=1.001), AfterValidator(lambda value: min(value, 1))]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Box(_Part):
    probability: _Probability
    x_min: float
    y_min: float
    x_max: float
    y_max: float


class _Age(_Part):
    low: int = Field(ge=0)
    high: int = Field(le=_OLDEST)
    probability: _Probability | None = None


def _age_or_none(age: object, validated: Handler) -> _Age | None:
    try:
        found: _Age | None = validated(age)
    except ValidationError:
        return None
    return found if found is not None and found.low <= found.high else None


class _Face(_Part):
    box: _Box
    age: Annotated[_Age | None, WrapValidator(_age_or_none)] = None


class _Document(_Part):
    #: Of a detection that succeeded.
    result: list[_Face] | None = None
    #: Of an error.
    code: object = None
    message: object = None


def faces_of(answer: Answer, *, width: int, height: int) -> list[Face]:
    """Read the answer to a detection, the surest face first; [] when it found none.

    Args:
        width: of the picture that was sent, in pixels.
        height: likewise.

    Raises:
        FacesUnavailable: it failed, or its answer makes no sense.
        ConfigError: it refuses the key, or is no CompreFace.
    """
    found = checked(answer)
    if answer.status == HTTPStatus.BAD_REQUEST:
        return []
    if found.result is None:
        raise FacesUnavailable("CompreFace's answer has no result")
    faces = [
        Face(
            box=_shares(face.box, width, height),
            score=face.box.probability,
            age=AgeRange(**face.age.model_dump()) if face.age else None,
        )
        for face in found.result
    ]
    return sorted(faces, key=lambda face: face.score, reverse=True)


def checked(answer: Answer) -> _Document:
    """Read an answer that is a success, or says that there is no face.

    Raises:
        FacesUnavailable: it failed, or answers with something else.
        ConfigError: it refuses the key, or is no CompreFace.
    """
    status, document = answer.status, _Document()
    try:
        document = _Document.model_validate_json(answer.body)
    except ValidationError as error:
        if status == HTTPStatus.OK:
            if answer.content_type.startswith("text/html") or answer.body.lstrip()[:1] == b"<":
                raise ConfigError(f"a web page answers, not CompreFace's API: {_URL}") from error
            where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "no JSON object"
            raise FacesUnavailable(f"CompreFace's answer makes no sense: {where}") from error
    code, said = document.code, _printable(document.message)
    if status == HTTPStatus.OK or (status == HTTPStatus.BAD_REQUEST and code == _NO_FACE):
        return document
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ConfigError(f"CompreFace refuses access ({status}{said}): {_KEY}")
    if status == HTTPStatus.NOT_FOUND and isinstance(code, int):
        raise ConfigError(f"CompreFace does not know the key{said}: {_KEY}")
    if status == HTTPStatus.BAD_REQUEST and (code == _NO_KEY or "api-key" in said.lower()):
        raise ConfigError(f"CompreFace refuses the key as not well formed{said}: {_KEY}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        raise ConfigError(f"there is no CompreFace ({status}{said}): {_URL}")
    if 300 <= status < 400:
        raise ConfigError(f"CompreFace's address redirects ({status}): {_URL}")
    raise FacesUnavailable(
        f"CompreFace answers with {status}{said}",
        retry_after_s=_retry_after_s(answer.retry_after),
    )


def _shares(box: _Box, width: int, height: int) -> tuple[float, float, float, float]:
    """Translate pixels into shares; what reaches a little out of the picture is cut."""
    edges = {"x_min": width, "y_min": height, "x_max": width, "y_max": height}
    for name, length in edges.items():
        # By less than a picture's length: a face at the border, not a meaningless box.
        if not -length <= getattr(box, name) <= 2 * length:
            raise FacesUnavailable(f"CompreFace's answer has a box whose {name} makes no sense")
    x0, y0, x1, y1 = (min(max(getattr(box, e) / n, 0.0), 1.0) for e, n in edges.items())
    if x0 >= x1 or y0 >= y1:
        raise FacesUnavailable("CompreFace's answer has a box with nothing in it")
    return x0, y0, x1, y1


def _printable(message: object) -> str:
    if not isinstance(message, str):
        return ""
    return ": " + "".join(c if c.isprintable() else "?" for c in message[:200])


def _retry_after_s(header: str | None) -> float | None:
    """Read the form in seconds; the other one, a date, needs clocks that agree."""
    if header is None or not header.isdecimal() or len(header) > 6:
        return None
    return min(float(header), _MOST_WAIT_S)

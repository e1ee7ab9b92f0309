"""What CompreFace's answers mean: faces, none, an outage, or an installation set up wrongly.

An answer that does not make sense as a whole is an outage, for half of its faces would be
a wrong count. An age that does not make sense is unknown; the face stays.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, TypeGuard

from photogate.adapters.faces_compreface.exchange import Answer
from photogate.domain import AgeRange, Face
from photogate.errors import ConfigError, FacesUnavailable

#: CompreFace's code of "No face is found in the given image", with 400.
_NO_FACE = 28
#: Its code of a header that is missing, with 400; the key is the only one that it asks for.
_NO_KEY = 20
#: More than anybody has reached.
_OLDEST = 130
#: Probabilities may exceed 1 by the rounding of float32.
_ROUNDING = 1e-3
#: Longest wait that a queue knows.
_MOST_WAIT_S = 900.0

_KEY = (
    "set COMPREFACE_API_KEY to the key of a service of type DETECTION,"
    " as CompreFace's page shows it"
)
_URL = "set COMPREFACE_URL to where CompreFace's page opens, without a path"


def faces_of(answer: Answer, *, width: int, height: int) -> list[Face]:
    """Read the answer to a detection, the surest face first; [] when it found none.

    Args:
        width: of the picture that was sent, in pixels.
        height: likewise.

    Raises:
        FacesUnavailable: it failed, or its answer makes no sense.
        ConfigError: it refuses the key, or is no CompreFace.
    """
    document = document_of(answer)
    if answer.status == HTTPStatus.BAD_REQUEST and document.get("code") == _NO_FACE:
        return []
    found = document.get("result")
    if not isinstance(found, list):
        raise FacesUnavailable("CompreFace's answer has no result")
    faces = [_face(each, (width, height)) for each in found]
    return sorted(faces, key=lambda face: face.score, reverse=True)


def document_of(answer: Answer) -> dict[str, Any]:
    """Read an answer's JSON object, where it is a success or says that there is no face.

    Raises:
        FacesUnavailable: it failed, or answers with something else.
        ConfigError: it refuses the key, or is no CompreFace.
    """
    document = _parsed(answer.body)
    code = None if document is None else document.get("code")
    if answer.status == HTTPStatus.OK:
        if document is not None:
            return document
        if _is_html(answer):
            raise ConfigError(f"a web page answers, not CompreFace's API: {_URL}")
        raise FacesUnavailable("CompreFace answers with something that is no JSON object")
    if answer.status == HTTPStatus.BAD_REQUEST and document is not None and code == _NO_FACE:
        return document
    said = _said(document)
    _check_installation(answer.status, code, said)
    raise FacesUnavailable(
        f"CompreFace answers with {answer.status}{said}",
        retry_after_s=_retry_after_s(answer.retry_after),
    )


def _check_installation(status: int, code: object, said: str) -> None:
    """Raise ConfigError where no repetition can help."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise ConfigError(f"CompreFace refuses access ({status}{said}): {_KEY}")
    if status == HTTPStatus.NOT_FOUND and isinstance(code, int):
        raise ConfigError(f"CompreFace does not know the key{said}: {_KEY}")
    if status == HTTPStatus.BAD_REQUEST and (code == _NO_KEY or "api-key" in said.lower()):
        raise ConfigError(f"CompreFace takes the key for none{said}: {_KEY}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        raise ConfigError(f"there is no CompreFace ({status}{said}): {_URL}")
    if 300 <= status < 400:
        raise ConfigError(f"CompreFace's address redirects ({status}): {_URL}")


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _refuse(constant: str) -> float:
    """JSON has no NaN and no Infinity; Python reads them unless told otherwise."""
    raise ValueError(f"{constant} is no JSON")


def _is_html(answer: Answer) -> bool:
    return answer.content_type.startswith("text/html") or answer.body.lstrip()[:1] == b"<"


def _said(document: dict[str, Any] | None) -> str:
    message = (document or {}).get("message")
    if not isinstance(message, str):
        return ""
    return ": " + "".join(c if c.isprintable() else "?" for c in message[:200])


def _retry_after_s(header: str | None) -> float | None:
    """Read the form in seconds; the other one, a date, needs clocks that agree."""
    if header is None or not header.isdecimal() or len(header) > 6:
        return None
    return min(float(header), _MOST_WAIT_S)


def _face(found: object, size: tuple[int, int]) -> Face:
    box = found.get("box") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(box, dict):
        raise FacesUnavailable("CompreFace's answer has a face without a box")
    return Face(box=_shares(box, size), score=_probability(box.get("probability")), age=_age(found))


def _shares(box: dict[str, Any], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Translate pixels into shares; what reaches a little out of the picture is cut."""
    shares = []
    for name, length in zip(("x_min", "y_min", "x_max", "y_max"), size * 2, strict=True):
        edge = box.get(name)
        # By less than a picture's length: of a face at the border, not of nothing.
        if not _is_number(edge) or not -length <= edge <= 2 * length:
            raise FacesUnavailable(f"CompreFace's answer has a box whose {name} makes no sense")
        shares.append(min(max(edge / length, 0.0), 1.0))
    x0, y0, x1, y1 = shares
    if x0 >= x1 or y0 >= y1:
        raise FacesUnavailable("CompreFace's answer has a box with nothing in it")
    return x0, y0, x1, y1


def _probability(value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1 + _ROUNDING:
        raise FacesUnavailable("CompreFace's answer has a probability that is none")
    return min(float(value), 1.0)


def _age(face: dict[str, Any]) -> AgeRange | None:
    """Read the age class ``{low, high, probability}``; None when it is not clearly one."""
    age = face.get("age")
    if not isinstance(age, dict):
        return None
    low, high, probability = (age.get(name) for name in ("low", "high", "probability"))
    # Not isinstance: a bool is an int, and no age.
    if type(low) is not int or type(high) is not int or not 0 <= low <= high <= _OLDEST:
        return None
    if probability is None:
        return AgeRange(low=low, high=high)
    if not _is_number(probability) or not 0 <= probability <= 1 + _ROUNDING:
        return None
    return AgeRange(low=low, high=high, probability=min(float(probability), 1.0))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)

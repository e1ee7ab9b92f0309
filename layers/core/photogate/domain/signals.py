"""What was measured on a photo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

#: The five classes that the shipped models tell apart.
NSFW_CATEGORIES = ("porn", "sexy", "hentai", "neutral", "drawing")
#: Decimal places of what a face detector tells: less than a pixel of the pictures it sees.
_PLACES = 4


@dataclass(frozen=True, kw_only=True)
class AgeRange:
    """Both ends belong to it, in years."""

    low: int
    high: int
    #: How sure the detector is of this range, 0..1, to four places; None when it does not say.
    probability: float | None = None

    def __post_init__(self) -> None:
        """Round now, so that the stored value is the one that was judged."""
        if self.probability is not None:
            object.__setattr__(self, "probability", round(self.probability, _PLACES))


@dataclass(frozen=True, kw_only=True)
class Face:
    """One face in a picture."""

    #: x0, y0, x1, y1 as shares (0..1) of the upright picture's width and height, to four
    #: places.
    box: tuple[float, float, float, float]
    #: How sure the detector is, 0..1, to four places.
    score: float
    #: As the detector tells it; None when it tells none of this face.
    age: AgeRange | None = None

    def __post_init__(self) -> None:
        """Round now, so that the stored value is the one that was judged."""
        x0, y0, x1, y1 = (round(edge, _PLACES) for edge in self.box)
        object.__setattr__(self, "box", (x0, y0, x1, y1))
        object.__setattr__(self, "score", round(self.score, _PLACES))


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A part of a picture that a model looked at by itself."""

    #: x0, y0, x1, y1 as shares (0..1) of the upright picture's width and height, to four
    #: places.
    box: tuple[float, float, float, float]
    #: Probability, 0..1, that this part is explicit, to six places.
    explicit: float

    def __post_init__(self) -> None:
        """Round now, as ``Face`` does; what is not finite is no score and no tile."""
        if not math.isfinite(self.explicit):
            raise ValueError("a tile's score is not finite")
        x0, y0, x1, y1 = (round(edge, _PLACES) for edge in self.box)
        object.__setattr__(self, "box", (x0, y0, x1, y1))
        object.__setattr__(self, "explicit", round(self.explicit, 6))


@dataclass(frozen=True, kw_only=True)
class Jpeg:
    """An upright picture in the form in which services take it."""

    data: bytes
    #: Pixels.
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What was measured on one photo. What was not computed is None, never 0.

    An animation gives one of these for each frame that was looked at, and a picture that is
    transparent somewhere one for each background.
    """

    #: One probability, 0..1, per category that the model tells; the shipped ones tell
    #: ``NSFW_CATEGORIES``, a two-class model ``explicit`` and ``neutral``.
    nsfw_scores: dict[str, float] | None = None
    #: What each further model says, by its name, in categories as above. Empty where the panel
    #: has one member; None when nobody was asked, which is not the same.
    opinions: dict[str, dict[str, float]] | None = None
    #: The same of the model in the third seat, which is in no panel; None while that is empty.
    third: dict[str, dict[str, float]] | None = None
    #: The part of the picture that the last of ``opinions`` finds worst; None when it looked at the
    #: whole only.
    tile: Tile | None = None
    #: Found in the picture; empty when there is none. None when nobody looked for any.
    faces: tuple[Face, ...] | None = None
    #: Variance of the Laplacian on the canonical size, in squared grey levels; 0 is flat.
    blur_variance: float | None = None
    #: RMS contrast: standard deviation of the grey levels, 0..127.5; 0 is one flat colour.
    rms_contrast: float | None = None
    #: Pixels of the upright picture.
    width: int | None = None
    height: int | None = None
    #: The container as its bytes say, e.g. ``JPEG``; never from a file name.
    format: str | None = None
    #: 1, or how many an animation has.
    frames: int | None = None
    #: Which of the frames, from 1, this is about; None in a photo of one; 0 for the still
    #: picture that some viewers show instead of an animation.
    frame: int | None = None
    #: On which background, ``white`` or ``black``; None where nothing is transparent.
    background: str | None = None
    #: How many frames differ from those that were looked at, and were not looked at.
    frames_unseen: int | None = None
    #: 1 where viewers may see other colours than those that were looked at, else 0.
    colour_unsure: int | None = None
    #: 1 where the file tells brighter screens to show it otherwise, else 0.
    gain_map: int | None = None
    size_bytes: int | None = None
    #: Hex digest of the bytes that were looked at.
    sha256: str | None = None
    #: Wall time of looking at this photo.
    processing_time_ms: float | None = None
    #: Who looked: sha256 of the model file that gave ``nsfw_scores``, and of each further one
    #: in the order of ``opinions``, then ``third``, joined by ``+``.
    model: str | None = None
    #: Version of the steps from bytes to the model's input.
    preprocessing: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the members that were computed, ready for JSON.

        One that holds NaN or an infinity was not computed, and JSON cannot hold it. Of the third
        model remains that it was asked, so that nobody takes its seat for empty.
        """
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self) if f.name not in _BUILT)
        document = {name: value for name, value in pairs if value is not None}
        if self.tile is not None:
            document["tile"] = {"box": list(self.tile.box), "explicit": self.tile.explicit}
        if self.faces is not None:
            document["has_face"] = bool(self.faces)
            document["face_count"] = len(self.faces)
            document["faces"] = [_face_to_json(face) for face in self.faces]
            if (youngest := self.youngest) is not None:
                document["estimated_age"] = {"low": youngest.low, "high": youngest.high}
        if self.third is not None and not _finite(self.third):
            document["third"] = {name: {} for name in self.third}
        return {name: value for name, value in document.items() if _finite(value)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Signals:
        """Read what ``to_json`` gave; a verdict can be replayed from it.

        Members that are not there were not computed. What else stands in a
        ``moderation_scores`` document (the policy, the rule) is left alone.
        """
        names = {f.name for f in fields(cls)} - _BUILT
        members = {name: value for name, value in document.items() if name in names}
        if "tile" in document:
            x0, y0, x1, y1 = document["tile"]["box"]
            members["tile"] = Tile(box=(x0, y0, x1, y1), explicit=document["tile"]["explicit"])
        if "faces" in document:
            members["faces"] = tuple(_face_from_json(face) for face in document["faces"])
        return cls(**members)

    @property
    def youngest(self) -> AgeRange | None:
        """The lowest ends among the faces whose age is known; None when none is."""
        ages = [face.age for face in self.faces or () if face.age is not None]
        if not ages:
            return None
        return AgeRange(low=min(age.low for age in ages), high=min(age.high for age in ages))


#: Members of ``Signals`` that are no plain values.
_BUILT = {"faces", "tile"}


def _finite(value: Any) -> bool:
    """Tell whether all numbers inside are finite."""
    if isinstance(value, dict):
        return all(_finite(part) for part in value.values())
    if isinstance(value, list):
        return all(_finite(part) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


def _face_to_json(face: Face) -> dict[str, Any]:
    document: dict[str, Any] = {"box": list(face.box), "score": face.score}
    if face.age is not None:
        document["age"] = {"low": face.age.low, "high": face.age.high}
        if face.age.probability is not None:
            document["age"]["probability"] = face.age.probability
    return document


def _face_from_json(document: Mapping[str, Any]) -> Face:
    age = document.get("age")
    x0, y0, x1, y1 = document["box"]
    return Face(
        box=(x0, y0, x1, y1),
        score=document["score"],
        age=None if age is None else AgeRange(**age),
    )

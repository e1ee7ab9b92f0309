"""Every number that a policy can bound, in one table.

A new signal is a member of ``Signals``, one entry here, its words in ``texts/*.json``, and
the code that computes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from photogate.domain import panel
from photogate.domain.panel import explicit
from photogate.domain.signals import NSFW_CATEGORIES, Signals

#: On which side of a bound the doubtful values lie.
Side = Literal["above", "below"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number that was measured on a photo."""

    name: str
    #: The member of ``Signals`` that it is read from.
    signal: str
    unit: str
    #: Smallest and largest value that makes sense; bounds lie between them, too.
    smallest: float = 0.0
    largest: float = math.inf
    #: How far float32 arithmetic may lead beyond ``largest``.
    tolerance: float = 0.0
    #: Whether a policy may reject by it alone.
    rejects: bool = True
    #: Of the third seat, which is empty unless somebody fills it: nobody misses this one.
    optional: bool = False
    #: None when a value may be too small as well as too large.
    worse: Side | None
    #: Gives the value, or None when it was not computed.
    read: Callable[[Signals], float | None]

    @property
    def range(self) -> str:
        """The values that make sense, in words."""
        if math.isinf(self.largest):
            return f"from {self.smallest:g} up ({self.unit})"
        return f"between {self.smallest:g} and {self.largest:g} ({self.unit})"

    def plausible(self, value: float) -> bool:
        """Tell whether ``value`` is finite and in the range that it can have."""
        return math.isfinite(value) and self.smallest <= value <= self.largest + self.tolerance


def read(signals: Signals) -> dict[str, float]:
    """Give all measures of one photo that were computed, by name, plausible or not."""
    values = ((measure.name, measure.read(signals)) for measure in MEASURES.values())
    return {name: value for name, value in values if value is not None}


def _of_model(category: str, worse: Side | None) -> Measure:
    def share(signals: Signals) -> float | None:
        scores = signals.nsfw_scores or {}
        return explicit(scores) if category == "explicit" else scores.get(category)

    return _nsfw(category, share, "nsfw_scores", worse)


def _nsfw(
    name: str,
    share: Callable[[Signals], float | None],
    signal: str,
    worse: Side | None = "above",
    *,
    rejects: bool = True,
    optional: bool = False,
) -> Measure:
    return Measure(
        name=name if "." in name else f"nsfw.{name}",
        signal=signal,
        unit="probability",
        largest=1.0,
        tolerance=1e-3,
        worse=worse,
        rejects=rejects,
        optional=optional,
        read=share,
    )


def _aspect(signals: Signals) -> float | None:
    """Give the longer side by the shorter one."""
    if not signals.width or not signals.height:
        return None
    longer, shorter = sorted((signals.width, signals.height), reverse=True)
    return round(longer / shorter, 3)


_WORSE: dict[str, Side | None] = {"neutral": "below", "drawing": None}
#: No person was older.
_OLDEST = 130.0

_TABLE = (
    *(_of_model(category, _WORSE.get(category, "above")) for category in NSFW_CATEGORIES),
    _of_model("explicit", "above"),
    _nsfw("unsafe", panel.unsafe, "nsfw_scores"),
    _nsfw("second", panel.second, "opinions"),
    _nsfw("least", panel.least, "opinions"),
    _nsfw("most", panel.most, "opinions"),
    _nsfw("shared", panel.shared, "opinions"),
    _nsfw("tile", lambda s: None if s.tile is None else s.tile.explicit, "tile", rejects=False),
    _nsfw("opennsfw.explicit", lambda s: panel.opinion_of(s, "opennsfw"), "opinions"),
    _nsfw("third.explicit", panel.third_explicit, "third", rejects=False, optional=True),
    _nsfw("third.gore", panel.third_gore, "third", rejects=False, optional=True),
    Measure(
        name="face_count",
        signal="faces",
        unit="faces",
        worse=None,
        read=lambda s: None if s.faces is None else float(len(s.faces)),
    ),
    Measure(
        name="faces_without_age",
        signal="faces",
        unit="faces",
        worse="above",
        read=lambda s: None if s.faces is None else float(sum(f.age is None for f in s.faces)),
    ),
    # Of the youngest face whose age is known.
    Measure(
        name="age.low",
        signal="faces",
        unit="years",
        largest=_OLDEST,
        worse="below",
        read=lambda s: None if s.youngest is None else float(s.youngest.low),
    ),
    Measure(
        name="age.high",
        signal="faces",
        unit="years",
        largest=_OLDEST,
        worse="below",
        read=lambda s: None if s.youngest is None else float(s.youngest.high),
    ),
    Measure(
        name="blur_variance",
        signal="blur_variance",
        unit="squared grey levels",
        worse="below",
        read=lambda s: s.blur_variance,
    ),
    Measure(
        name="rms_contrast",
        signal="rms_contrast",
        unit="grey levels",
        largest=127.5,
        worse="below",
        read=lambda s: s.rms_contrast,
    ),
    Measure(
        name="short_side_px",
        signal="width",
        unit="px",
        worse="below",
        read=lambda s: (
            None if s.width is None or s.height is None else float(min(s.width, s.height))
        ),
    ),
    Measure(name="aspect", signal="width", unit="×", smallest=1.0, worse="above", read=_aspect),
    Measure(
        name="colour_unsure",
        signal="colour_unsure",
        unit="0 or 1",
        largest=1.0,
        worse="above",
        read=lambda s: None if s.colour_unsure is None else float(s.colour_unsure),
    ),
    Measure(
        name="gain_map",
        signal="gain_map",
        unit="0 or 1",
        largest=1.0,
        worse="above",
        read=lambda s: None if s.gain_map is None else float(s.gain_map),
    ),
    Measure(
        name="frames_unseen",
        signal="frames_unseen",
        unit="frames",
        worse="above",
        read=lambda s: None if s.frames_unseen is None else float(s.frames_unseen),
    ),
)

#: By name, in the order in which people read them.
MEASURES = {measure.name: measure for measure in _TABLE}

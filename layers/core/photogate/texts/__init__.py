"""Words for people, by language; ``en.json`` is the reference.

Another language is another file with the same members.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from photogate.domain import Rule


def reason_text(reason: str | None, language: str = "en") -> str | None:
    """Give the sentence for a machine's reason; a person's own words come back as they are."""
    if reason is None:
        return None
    return _texts(language)["reasons"].get(reason, reason)


def doubt_text(reason: str, language: str = "en") -> str:
    """Say what a person is to look for, when the machine is not sure of this reason."""
    return _texts(language)["doubts"].get(reason, reason)


def measure_text(name: str, language: str = "en") -> str:
    """Give a measure's name in plain words, to be put before its value."""
    return _texts(language)["measures"].get(name, name)


def rule_text(rule: Rule, language: str = "en") -> str:
    """Say what decided, for people who ask why."""
    words = measure_text(rule.name, language)
    sentences = _texts(language)["rules"]
    if rule.value is None or rule.bound is None:
        return sentences["missing"].format(measure=words)
    side = "above" if rule.value > rule.bound else "below"
    said = sentences[side].format(
        measure=words, value=f"{rule.value:.4g}", bound=f"{rule.bound:.4g}"
    )
    if rule.part is None:
        return said
    return sentences["in_part"].format(rule=said, part=part_text(rule.part, language))


def part_text(box: tuple[float, float, float, float], language: str = "en") -> str:
    """Say roughly where in a photo a box lies, by the third of each axis that its middle is in.

    Args:
        box: x0, y0, x1, y1 as shares of width and height.
    """
    x0, y0, x1, y1 = box
    places = (_third((y0 + y1) / 2, "upper", "lower"), _third((x0 + x1) / 2, "left", "right"))
    return _texts(language)["parts"][" ".join(filter(None, places)) or "middle"]


def _third(middle: float, first: str, last: str) -> str:
    return first if middle < 1 / 3 else last if middle > 2 / 3 else ""


@cache
def _texts(language: str) -> dict[str, dict[str, str]]:
    path = files("photogate.texts").joinpath(f"{language}.json")
    texts: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return texts

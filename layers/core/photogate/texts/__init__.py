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
    return sentences[side].format(
        measure=words, value=f"{rule.value:.4g}", bound=f"{rule.bound:.4g}"
    )


@cache
def _texts(language: str) -> dict[str, dict[str, str]]:
    path = files("photogate.texts").joinpath(f"{language}.json")
    texts: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return texts

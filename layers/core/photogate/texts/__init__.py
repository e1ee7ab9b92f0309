"""Words for people, by language; ``en.json`` is the reference."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files


def reason_text(reason: str | None, language: str = "en") -> str | None:
    """Give the sentence for a machine's reason; a person's own words come back as they are."""
    if reason is None:
        return None
    return _texts(language)["reasons"].get(reason, reason)


@cache
def _texts(language: str) -> dict[str, dict[str, str]]:
    path = files("photogate.texts").joinpath(f"{language}.json")
    texts: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return texts

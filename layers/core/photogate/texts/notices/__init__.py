"""What users are told of decisions, by language: one JSON file each, ``en.json`` the reference.

Another language is another file with the same members; nothing else has to be changed.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from photogate.domain import Status
from photogate.domain.notices import Notice

#: Spoken where a language is not known.
USUAL = "en"


def languages() -> tuple[str, ...]:
    """Give the languages that there are texts in, as IETF tags."""
    return _languages()


def known_language(wanted: str | None) -> str:
    """Give the language that comes closest to a wish such as ``am-ET``; English where none does."""
    primary = (wanted or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in _languages() else USUAL


def reason_words(notice: Notice) -> str | None:
    """Say why a photo was rejected, in its user's language; a person's own words as they are."""
    if notice.status is not Status.REJECTED:
        return None
    if notice.reason is not None and notice.reason_code == "other":
        return notice.reason
    return code_words(notice.reason or "", known_language(notice.language))


def code_words(code: str, language: str) -> str:
    """Say why a photo was rejected, by the code of a reason, in one of ``languages``."""
    reasons = _texts(language)["reasons"]
    return str(reasons.get(code, reasons["unknown"]))


def review_words(language: str) -> str:
    """Say that a person is looking at a photo, in one of ``languages``."""
    return str(_texts(language)["review"]["one"])


def notice_words(
    notices: Sequence[Notice], *, review_hours: float | None = None, objection: str = ""
) -> str:
    """Say in one message what was decided about a user's photos; of each, the last decision.

    Args:
        notices: oldest first, at least one; the last one's language is used.
        review_hours: within how many most photos had a person's decision; None if not known.
        objection: what somebody does who thinks that a rejection is wrong.
    """
    texts = _texts(known_language(notices[-1].language))
    if all(notice.is_ping for notice in notices):
        return str(texts["test"])
    latest = list({notice.photo_id: notice for notice in notices if not notice.is_ping}.values())
    of = Counter(notice.status for notice in latest)
    approved, rejected, review = of[Status.APPROVED], of[Status.REJECTED], of[Status.REVIEW]
    lines = [texts["corrected"]] if any(notice.corrects for notice in latest) else []
    if approved and rejected:
        lines.append(texts["mixed"].format(approved=approved, rejected=rejected))
    elif approved or rejected:
        words = texts["approved" if approved else "rejected"]
        lines.append(_counted(words, approved or rejected))
    said = dict.fromkeys(filter(None, map(reason_words, latest)))
    lines += [f"• {words}" for words in said]
    if review:
        lines.append(" ".join([_counted(texts["review"], review), *_how_long(texts, review_hours)]))
    if rejected and objection:
        lines.append(texts["objection"].format(how=objection))
    return "\n".join(lines)


def _counted(words: dict[str, str], count: int) -> str:
    return words["one"] if count == 1 else words["all"].format(count=count)


def _how_long(texts: dict[str, Any], hours: float | None) -> list[str]:
    if hours is None:
        return []
    whole = max(1, math.ceil(hours))
    words: dict[str, str] = texts["review"]
    return [words["hour"] if whole == 1 else words["hours"].format(hours=whole)]


@cache
def _languages() -> tuple[str, ...]:
    names = (path.name for path in files("photogate.texts.notices").iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".json")))


@cache
def _texts(language: str) -> dict[str, Any]:
    path = files("photogate.texts.notices").joinpath(f"{language}.json")
    texts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return texts

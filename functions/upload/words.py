"""What the owner of a photo reads of it."""

from __future__ import annotations

from photogate.domain import Reason, Status
from photogate.texts import reason_text
from photogate.texts.notices import USUAL, code_words, known_language, review_words


def photo_words(status: Status, reason: str | None, language: str | None) -> str | None:
    """Say what a photo's state means, where there is something to say.

    Args:
        status: as the owner is told it.
        reason: of a rejection: a code, or a person's own words, which are given as they are.
        language: wanted by the owner; English where there are no texts in it.
    """
    known = known_language(language)
    if status is Status.REVIEW:
        return review_words(known)
    if status is not Status.REJECTED or reason is None:
        return None
    if known == USUAL or reason not in list(Reason):
        return reason_text(reason)
    return code_words(reason, known)

"""What users are told: every language says the same, and every case has its words."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.upload.words import photo_words
from photogate.domain import Reason, Status
from photogate.domain.notices import Notice
from photogate.texts.notices import known_language, languages, notice_words
from tests.docs import ROOT

TEXTS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "layers/core/photogate/texts/notices").glob("*.json")
}


def notice(photo: str, status: Status, reason: str | None = None, **changed: Any) -> Notice:
    given: dict[str, Any] = {
        "id": f"{photo}.1",
        "photo_id": photo,
        "sequence": 1,
        "user_id": "u",
        "batch_id": None,
        "file_key": "k",
        "status": status,
        "before": Status.PENDING,
        "reason": reason,
        "by_person": False,
        "corrects": False,
        "sha256": None,
        "language": "en",
        "decided_at": datetime(2026, 11, 27, tzinfo=UTC),
    }
    return Notice(**{**given, **changed})


GOOD, BAD = notice("a", Status.APPROVED), notice("b", Status.REJECTED, "blurry")
WAITS = notice("c", Status.REVIEW)


def shape(texts: Any) -> Any:
    """Members, and the places for values in each text."""
    if isinstance(texts, dict):
        return {name: shape(inner) for name, inner in texts.items()}
    assert texts.strip()
    return sorted(re.findall(r"\{\w+\}", texts))


@pytest.mark.parametrize("language", TEXTS)
def test_a_language_has_all_that_english_has(language: str) -> None:
    assert shape(TEXTS[language]) == shape(TEXTS["en"])


def test_english_and_amharic_are_spoken() -> None:
    assert set(languages()) == set(TEXTS) >= {"en", "am"}


def test_every_reason_has_words() -> None:
    assert set(TEXTS["en"]["reasons"]) == {*Reason, "unknown"}


@pytest.mark.parametrize(
    ("wish", "found"),
    [("am", "am"), ("am-ET", "am"), ("AM_ET", "am"), ("fr", "en"), (None, "en"), ("../en", "en")],
)
def test_the_closest_language_is_spoken(wish: str | None, found: str) -> None:
    assert known_language(wish) == found


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("notices", [[GOOD], [BAD], [WAITS], [GOOD, BAD, WAITS]])
def test_every_case_is_said(language: str, notices: list[Notice]) -> None:
    told = [notice(n.photo_id, n.status, n.reason, language=language) for n in notices]
    words = notice_words(told, review_hours=2.4, objection="Write to help@example.com.")
    assert "{" not in words
    assert ("help@example.com" in words) == (BAD in notices)
    assert ("3" in words) == (WAITS in notices)


def test_a_batch_is_one_message() -> None:
    assert notice_words([GOOD]) == "Your photo was approved."
    assert notice_words([GOOD, notice("d", Status.APPROVED)]) == (
        "All your 2 photos were approved."
    )
    mixed = [GOOD, BAD, notice("d", Status.REJECTED, "blurry"), WAITS]
    assert notice_words(mixed, review_hours=0.4).splitlines() == [
        "1 of your photos were approved, 2 were not.",
        "• It is too blurry: please upload a sharper one.",
        "A person is looking at your photo. That usually takes no more than an hour.",
    ]


def test_the_last_decision_about_a_photo_counts_and_a_persons_words_are_kept() -> None:
    later = notice("a", Status.REJECTED, "That is a car.", sequence=2, corrects=True)
    assert notice_words([GOOD, later]).splitlines() == [
        "A decision was taken back. This is how it stands now:",
        "Your photo was not approved.",
        "• That is a car.",
    ]


def test_an_owner_reads_of_each_photo_what_there_is_to_say() -> None:
    for language in languages():
        for reason in Reason:
            words = photo_words(Status.REJECTED, reason, language)
            assert words, (language, reason)
            assert words != reason, (language, reason)
        assert photo_words(Status.REVIEW, None, language) == TEXTS[language]["review"]["one"]
        # A moderator's own words stay as they are.
        assert photo_words(Status.REJECTED, "A cat", language) == "A cat"
        assert photo_words(Status.REJECTED, "unknown", language) == "unknown"
        for status in (Status.PENDING, Status.APPROVED):
            assert photo_words(status, None, language) is None
    assert photo_words(Status.REJECTED, Reason.BLURRY, None) == (
        "This photo is too blurry. Please upload a sharper one."
    )

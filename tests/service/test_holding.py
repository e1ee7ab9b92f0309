"""Suspected abuse of a child, as the use cases around it see it."""

from __future__ import annotations

import logging

import pytest

from photogate.domain import Finding, Principal, Role, Status, Verdict
from photogate.errors import Conflict, InvalidRequest, NotFound
from photogate.messages import Job
from photogate.service.holding import Holding
from tests.authors import finish
from tests.records import Records
from tests.service.conftest import MODERATOR

ROOT = Principal(user_id="root", role=Role.ADMIN)


@pytest.fixture
def holding(records: Records) -> Holding:
    """The service."""
    return Holding(holds=records.holds, changes=records.changes)


@pytest.fixture
def photo(records: Records, job: Job) -> str:
    """A photo that was approved."""
    found = {m.file_key: m.id for m in records.views.of_user("u")}
    finish(records, job, [Finding(photo_id=found["a"], verdict=Verdict(status=Status.APPROVED))])
    return found["a"]


def test_holding_is_told_once_and_safe_to_repeat(
    holding: Holding, photo: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        holding.hold(photo, by=MODERATOR)
        holding.hold(photo, by=ROOT)
    assert [record.message for record in caplog.records] == [
        f"photo {photo} is held for suspected abuse: an admin has to act"
    ]
    assert list(holding.withheld()) == [photo]
    assert [(hold.photo_id, hold.held_by) for hold in holding.listing()] == [(photo, "mod")]
    with pytest.raises(NotFound):
        holding.hold("no-such-photo", by=MODERATOR)


def test_admins_say_what_they_did(holding: Holding, photo: str) -> None:
    with pytest.raises(Conflict, match="not held"):
        holding.lift(photo, because="a wrong key", by=ROOT)
    with pytest.raises(NotFound, match="is held"):
        holding.report(photo, words="NCMEC 1", by=ROOT)
    holding.hold(photo, by=MODERATOR)
    for words in ("  ", "x" * 501):
        with pytest.raises(InvalidRequest):
            holding.report(photo, words=words, by=ROOT)
        with pytest.raises(InvalidRequest):
            holding.lift(photo, because=words, by=ROOT)
    assert holding.unreported() == 1
    holding.report(photo, words=" NCMEC 1 ", by=ROOT)
    assert (holding.unreported(), holding.listing()[0].report) == (0, "NCMEC 1")
    holding.lift(photo, because="a wrong key", by=ROOT)
    assert list(holding.withheld()) == []

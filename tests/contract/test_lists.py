"""The history, what was rejected, and acts on several photos at once, on each technology."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from photogate.domain import Place, Reason, Status, Verdict
from photogate.domain.changes import Action, By, decided, deleted, held, undone, verified, withdrawn
from photogate.domain.history import HistoryEntry, HistoryFilter, HistoryPlace
from photogate.domain.people import Principal
from photogate.domain.reviews import LEASE_S
from tests.authors import conclude
from tests.conftest import on_postgres
from tests.contract.test_intake import new_batch
from tests.contract.test_reviews import ADA, BOB, ROOT, doubt, held_by, taken
from tests.records import Records

APPROVED = Verdict(status=Status.APPROVED)
NSFW = Verdict(status=Status.REJECTED, reason="nsfw")
WORDS = Verdict(status=Status.REJECTED, reason="Please show yourself.")


class TestHistory:
    @pytest.fixture(autouse=True)
    def begin(self, records: Records) -> None:
        """Leave out what earlier tests did: nobody can take it out of the history."""
        newest = records.histories.entries(HistoryFilter(), limit=1)
        self.since = newest[0].at + timedelta(microseconds=1) if newest else None

    def entries(self, records: Records, **wanted: Any) -> list[HistoryEntry]:
        wanted = {"since": self.since} | wanted
        return records.histories.entries(HistoryFilter(**wanted), limit=100)

    def some(self, records: Records) -> list[str]:
        """Let people and the machine do all kinds of things, one after the other."""
        first, second, third = doubt(records, "nsfw.explicit", "age.low", None)
        (other,) = doubt(records, "blur_variance", user="v")
        for change in (
            decided(first, NSFW, by=ADA),
            verified(first, by=ROOT),
            decided(second, WORDS, by=BOB),
            undone(second, by=BOB),
            decided(third, APPROVED, by=ADA),
            decided(other, NSFW, by=BOB),
            deleted(other, by=ROOT),
        ):
            (outcome,) = records.changes.make([change])
            assert outcome.changed
        return [first, second, third, other]

    def found(self, records: Records, **wanted: Any) -> list[tuple[str, str | None, str]]:
        entries = self.entries(records, **wanted)
        return [(entry.action, entry.person, entry.photo_id) for entry in entries]

    def test_the_newest_comes_first_with_all_that_is_known(self, records: Records) -> None:
        first, second, third, other = self.some(records)
        entries = self.entries(records)
        assert [(e.photo_id, e.action, e.person) for e in entries[:7]] == [
            (other, "delete", "root"),
            (other, "decide", "bob"),
            (third, "decide", "ada"),
            (second, "undo", "bob"),
            (second, "decide", "bob"),
            (first, "verify", "root"),
            (first, "decide", "ada"),
        ]
        assert {(e.action, e.by, e.person, e.role, e.before) for e in entries[7:]} == {
            ("judge", "machine", None, None, "pending")
        }
        told = {(e.owner, e.before, e.after, e.reason, e.role) for e in entries[:2]}
        assert told == {
            ("v", "rejected", None, None, "admin"),
            ("v", "review", "rejected", "nsfw", "moderator"),
        }
        assert entries[4].reason == WORDS.reason
        (judged,) = [e for e in entries[7:] if e.photo_id == first]
        assert judged.rule is not None
        assert (judged.rule.name, judged.rule.value, judged.policy) == ("nsfw.explicit", 0.6, "p@1")
        assert next(e for e in entries[7:] if e.photo_id == third).rule is None

    def test_filters(self, records: Records) -> None:
        first, second, third, other = self.some(records)
        decide, judge = "decide", ("judge", None)
        assert self.found(records, person="ada") == [(decide, "ada", third), (decide, "ada", first)]
        assert self.found(records, owner="v") == [
            ("delete", "root", other),
            (decide, "bob", other),
            (*judge, other),
        ]
        assert self.found(records, action=Action.UNDO) == [("undo", "bob", second)]
        assert len(self.found(records, action=Action.JUDGE)) == 4
        assert len(self.found(records, by=By.MACHINE)) == 4
        assert len(self.found(records, by=By.PERSON)) == 7
        # A verification keeps the reason.
        assert self.found(records, reason=Reason.NSFW) == [
            (decide, "bob", other),
            ("verify", "root", first),
            (decide, "ada", first),
        ]
        assert self.found(records, after=Status.APPROVED) == [(decide, "ada", third)]
        assert self.found(records, photo_id=third) == [(decide, "ada", third), (*judge, third)]
        assert self.found(records, person="bob", reason=Reason.NSFW) == [(decide, "bob", other)]
        for nobody in ({"person": "eve"}, {"owner": "eve"}, {"owner": "v", "person": "ada"}):
            assert self.found(records, **nobody) == []

    def test_what_was_not_finished(self, records: Records) -> None:
        self.some(records)
        records.intake.accept(new_batch("stuck", user="w"), photos_per_day=30)
        records.deliver_too_often()
        assert conclude(records) == 1
        (stuck,) = records.views.of_user("w")
        assert self.found(records, failed=True) == [("give_up", None, stuck.id)]
        assert self.found(records, failed=True, owner="u") == []

    def test_from_and_to(self, records: Records) -> None:
        self.some(records)
        entries = self.entries(records, by=By.PERSON)
        middle = entries[3].at

        def of(**span: Any) -> list[HistoryEntry]:
            return self.entries(records, by=By.PERSON, **span)

        assert of(since=middle) == entries[:4]
        assert of(until=middle) == entries[4:]
        assert of(since=middle, until=middle + timedelta(microseconds=1)) == entries[3:4]
        assert of(since=middle, until=middle) == []

    def test_pages_hold_each_entry_once(self, records: Records) -> None:
        self.some(records)
        wanted, everything = HistoryFilter(since=self.since), self.entries(records)
        read: list[HistoryEntry] = []
        after = None
        while part := records.histories.entries(wanted, limit=2, after=after):
            read += part
            # As a client gives it back.
            after = HistoryPlace.read(HistoryPlace.of(part[-1]).cursor())
        assert read == everything
        assert len({(e.photo_id, e.n) for e in everything}) == len(everything) == 11


class TestRejections:
    def some(self, records: Records) -> list[str]:
        ids: list[str] = []
        for n in range(4):
            ids += doubt(records, "nsfw.explicit", user=f"u{n}")
        first, second, third, approved = ids
        records.changes.make([decided(first, NSFW, by=ADA), decided(second, WORDS, by=ADA)])
        records.changes.make([decided(third, NSFW, by=ADA), decided(approved, APPROVED, by=ADA)])
        records.changes.make([verified(first, by=BOB)])
        return [third, second, first]

    def test_they_are_listed_by_what_people_ask_for(self, records: Records) -> None:
        third, second, first = ids = self.some(records)

        def found(verified: bool | None = None, reason: str | None = None) -> list[str]:
            page = records.rejections.page(verified=verified, reason=reason, limit=10)
            return [photo.id for photo in page]

        assert found() == ids
        assert found(verified=True) == [first]
        assert found(verified=False) == [third, second]
        assert found(reason="nsfw") == [third, first]
        assert found(reason="other") == [second]
        assert found(verified=False, reason="nsfw") == [third]
        assert found(reason="blurry") == []

    def test_what_is_withheld_is_not_listed(self, records: Records) -> None:
        third, second, first = self.some(records)
        records.changes.make([held(second, by=ADA)])
        page = records.rejections.page(verified=None, reason=None, limit=10)
        assert [photo.id for photo in page] == [third, first]

    def test_pages(self, records: Records) -> None:
        ids = self.some(records)
        read: list[str] = []
        after = None
        while part := records.rejections.page(verified=None, reason=None, limit=1, after=after):
            read += [photo.id for photo in part]
            after = Place.of(part[-1])
        assert read == ids


class TestSelections:
    def test_photos_are_given_by_their_ids(self, records: Records) -> None:
        first, second = doubt(records, None, "age.low")
        records.changes.make([withdrawn(second, by=Principal(user_id="u"))])
        found = records.selections.photos([second, first, "no-such-photo"])
        assert {id_: photo.id for id_, photo in found.items()} == {first: first}
        assert records.selections.photos([]) == {}

    def test_what_others_hold_is_not_claimed(self, records: Records) -> None:
        ids = doubt(records, "nsfw.explicit", None, None)
        held = taken(records, held_by(BOB), 1)
        free = set(ids) - set(held)
        assert records.selections.claim(held_by(ADA), [*ids, "no-such-photo"]) == free
        assert records.selections.claim(held_by(ADA), ids) == free
        assert taken(records, held_by(BOB), 10) == held
        records.age_leases(seconds=LEASE_S + 1)
        assert records.selections.claim(held_by(ADA), ids) == set(ids)

    def test_escalations_are_for_admins(self, records: Records) -> None:
        (photo,) = doubt(records, None)
        taken(records, held_by(ADA))
        records.reviews.escalate(held_by(ADA), photo, note=None)
        assert records.selections.claim(held_by(ADA), [photo]) == set()
        assert records.selections.claim(held_by(ROOT), [photo]) == {photo}

    def test_what_the_holder_holds_is_closed(self, records: Records) -> None:
        first, second = doubt(records, None, None)
        records.changes.make([decided(id_, APPROVED, by=BOB) for id_ in (first, second)])
        for id_ in (first, second):
            records.add_review_item(id_, "sample")
        records.selections.claim(held_by(ADA), [first])
        records.selections.close(held_by(ADA), [first, second])
        assert records.review_items() == {(second, "sample")}

    def test_reveals(self, records: Records) -> None:
        first, second, third = doubt(records, None, None, None)
        records.selections.reveal([first, second], ADA)
        records.selections.reveal([second], ADA)
        assert records.selections.revealed([first, second, third], ADA) == {first, second}
        assert records.selections.revealed([third], ADA) == set()
        assert records.selections.revealed([first, second], BOB) == set()
        # The same notes as for single photos.
        assert records.reviews.revealed(first, ADA)

    def test_nobody_sees_more_new_photos_than_the_limit(self, records: Records) -> None:
        first, second, third = doubt(records, None, None, None)
        reveal = records.selections.reveal
        assert reveal([first], ADA, most=2) == {first}
        # What was seen before counts once.
        assert reveal([third, first, second], ADA, most=2) == {first, third}
        assert records.selections.revealed([first, second, third], ADA) == {first, third}
        assert reveal([second], ADA, most=2) == set()
        assert reveal([second], BOB, most=2) == {second}

    @on_postgres
    def test_of_many_who_claim_the_same_each_photo_goes_to_one(self, records: Records) -> None:
        ids = doubt(records, *["nsfw.explicit"] * 30)
        barrier = threading.Barrier(4)

        def claim(n: int) -> set[str]:
            some = ids if n % 2 else ids[::-1]
            barrier.wait()
            return records.selections.claim(held_by(ADA, f"tab-0000000{n}"), some)

        with ThreadPoolExecutor(4) as threads:
            got = list(threads.map(claim, range(4)))
        assert sorted(id_ for part in got for id_ in part) == sorted(ids)


class TestWhatWasSeen:
    def test_a_decision_on_another_state_is_refused(self, records: Records) -> None:
        (photo,) = doubt(records, None)
        records.changes.make([decided(photo, NSFW, by=BOB)])
        (late,) = records.changes.make([decided(photo, APPROVED, by=ADA, seen=Status.REVIEW)])
        assert late.refusal is not None
        assert late.refusal.why == "bob has decided meanwhile: it is rejected"
        (aware,) = records.changes.make([decided(photo, APPROVED, by=ADA, seen=Status.REJECTED)])
        assert (aware.changed, aware.photo and aware.photo.status) == (True, Status.APPROVED)

    def test_a_decision_that_is_sent_again_is_the_same(self, records: Records) -> None:
        (photo,) = doubt(records, None)
        change = decided(photo, NSFW, by=ADA, seen=Status.REVIEW)
        assert [o.changed for _ in range(2) for o in records.changes.make([change])] == [
            True,
            False,
        ]
        (other,) = records.changes.make([replace(change, verdict=APPROVED)])
        assert other.refusal is not None

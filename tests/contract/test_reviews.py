"""Leases, escalations, reveals and sessions, on each technology."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from photogate.adapters.postgres.pool import Pool, Session
from photogate.adapters.postgres.reviews import _RANK
from photogate.domain import NewBatch, NewPhoto, Principal, Role, Status, Verdict
from photogate.domain.changes import decided, judged, undone, withdrawn
from photogate.domain.reviews import (
    LEASE_S,
    SESSION_IDLE_S,
    SESSION_S,
    Filter,
    Holder,
    Kind,
    SignInLink,
)
from photogate.domain.verdicts import Finding, Rule
from tests.conftest import on_postgres
from tests.records import Records
from tests.servers import eventually

ADA = Principal(user_id="ada", role=Role.MODERATOR)
BOB = Principal(user_id="bob", role=Role.MODERATOR)
ROOT = Principal(user_id="root", role=Role.ADMIN)
ANY = Filter()


def held_by(person: Principal, tab: str = "tab-00000001") -> Holder:
    return Holder(person=person, tab=tab)


def doubt(records: Records, *rules: str | None, user: str = "u") -> list[str]:
    """Let the machine send one photo for each of these rules to a person; give their ids."""
    photos = tuple(
        NewPhoto(file_key=f"{user}/{n}/{rule}", stored=None) for n, rule in enumerate(rules)
    )
    batch = records.intake.accept(
        NewBatch(user_id=user, user_name=None, photos=photos), photos_per_day=10_000
    )
    ids = {photo.file_key: photo.id for photo in records.views.of_user(user, limit=1000)}
    found = [ids[photo.file_key] for photo in photos]
    findings = [
        Finding(
            photo_id=photo_id,
            verdict=Verdict(
                status=Status.REVIEW,
                rule=rule and Rule(name=rule, value=0.6, bound=0.5),  # type: ignore[arg-type]
                policy="p@1",
            ),
        )
        for photo_id, rule in zip(found, rules, strict=True)
    ]
    records.changes.make([judged(finding, generation=batch.generation) for finding in findings])
    return found


def taken(records: Records, holder: Holder, count: int = 10, **wanted: Any) -> list[str]:
    hand = records.reviews.take(holder, Filter(**wanted), count=count)
    return [item.photo.id for item in hand.items]


def test_the_worst_case_comes_first_then_the_oldest(records: Records) -> None:
    blurry, nude, young, unknown, blurry_too = doubt(
        records, "blur_variance", "nsfw.explicit", "age.low", None, "blur_variance"
    )
    got = taken(records, held_by(ADA))
    assert got[:3] == [young, nude, unknown]
    assert set(got[3:]) == {blurry, blurry_too}
    (later,) = doubt(records, "blur_variance", user="v")
    assert taken(records, held_by(BOB)) == [later]


def test_what_waits_long_rises(records: Records) -> None:
    blurry, nude = doubt(records, "blur_variance", "nsfw.explicit")
    records.age_review_item(blurry, hours=4.9)
    assert taken(records, held_by(ADA)) == [nude, blurry]
    records.reviews.release(held_by(ADA))
    records.age_review_item(blurry, hours=0.2)
    assert taken(records, held_by(ADA), 1) == [blurry]
    assert taken(records, held_by(ADA)) == [blurry, nude]


def test_an_index_serves_the_order(pool: Pool) -> None:
    def plan(session: Session) -> str:
        for kind in ("seqscan", "bitmapscan", "sort"):
            session.rows(f"SET LOCAL enable_{kind} = off")
        rows = session.rows(
            "EXPLAIN SELECT id FROM review_items WHERE closed_at IS NULL"  # noqa: S608 - a constant
            f" ORDER BY {_RANK}, id LIMIT 4"
        )
        return str(rows)

    told = pool.transaction(plan)
    assert "Index Scan using review_items_order" in told
    assert "Sort" not in told


@on_postgres
def test_who_leaves_gives_back_what_is_still_being_taken(records: Records, pool: Pool) -> None:
    first, *_ = doubt(records, *["nsfw.explicit"] * 3)
    assert taken(records, held_by(ADA), 1) == [first]

    def waiting_sessions() -> int:
        sql = (
            "SELECT count(*) AS n FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(pool.transaction(lambda s: s.rows(sql))[0]["n"])

    with ThreadPoolExecutor(2) as threads:

        def meanwhile(session: Session) -> None:
            session.rows("SELECT 1 FROM review_items WHERE photo_id = :p FOR UPDATE", p=first)
            taking = threads.submit(taken, records, held_by(ADA), 3)
            eventually(lambda: waiting_sessions() == 1)
            leaving = threads.submit(records.reviews.release, held_by(ADA))
            eventually(lambda: waiting_sessions() == 2)
            done.extend([taking, leaving])

        done: list[Future[Any]] = []
        pool.transaction(meanwhile)
        taking, leaving = done
        assert len(taking.result()) == 3
        leaving.result()
    assert len(taken(records, held_by(BOB), 3)) == 3


def test_nobody_else_gets_what_somebody_holds(records: Records) -> None:
    ids = doubt(records, *["nsfw.explicit"] * 5)
    first, second = taken(records, held_by(ADA), 2), taken(records, held_by(BOB), 2)
    assert not set(first) & set(second)
    # Another tab of the same person is somebody else.
    third = taken(records, held_by(ADA, "tab-00000002"), 5)
    assert set(first) | set(second) | set(third) == set(ids)
    assert taken(records, held_by(ADA), 2) == first
    hand = records.reviews.take(held_by(BOB), ANY, count=2)
    assert (hand.waiting.n, [i.kind for i in hand.items]) == (5, [Kind.DOUBT] * 2)
    assert hand.oldest_at is not None


def test_a_lease_ends_and_is_given_back(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    assert taken(records, held_by(ADA)) == [photo]
    assert taken(records, held_by(BOB)) == []
    assert not records.reviews.claim(held_by(BOB), photo)
    records.reviews.release(held_by(ADA))
    assert taken(records, held_by(BOB)) == [photo]
    records.age_leases(seconds=LEASE_S + 1)
    assert taken(records, held_by(ADA)) == [photo]
    assert records.reviews.claim(held_by(ADA), photo)
    # Who comes back after that holds nothing any more.
    assert taken(records, held_by(BOB)) == []


def test_taking_again_keeps_what_is_held(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    taken(records, held_by(ADA))
    records.age_leases(seconds=LEASE_S - 20)
    assert taken(records, held_by(ADA)) == [photo]
    records.age_leases(seconds=LEASE_S - 20)
    assert taken(records, held_by(BOB)) == []


def test_what_was_skipped_goes_to_others(records: Records) -> None:
    first, second = doubt(records, "age.low", "nsfw.explicit")
    hand = records.reviews.take(held_by(ADA), ANY, count=1)
    assert [item.photo.id for item in hand.items] == [first]
    hand = records.reviews.take(held_by(ADA), ANY, count=1, passed=[hand.items[0].id])
    assert [item.photo.id for item in hand.items] == [second]
    assert taken(records, held_by(BOB)) == [first]


def test_filters(records: Records) -> None:
    blurry, nude = doubt(records, "blur_variance", "nsfw.explicit")
    (other,) = doubt(records, "nsfw.explicit", user="v")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"rule": "blur_variance"}, [blurry]),
        ({"user_id": "v"}, [other]),
        ({"rule": "nsfw.explicit", "user_id": "u"}, [nude]),
        ({"kind": Kind.APPEAL}, []),
        ({"kind": Kind.DOUBT, "user_id": "nobody"}, []),
    ]
    for wanted, expected in cases:
        assert taken(records, held_by(ADA), **wanted) == expected
        records.reviews.release(held_by(ADA))


def test_what_was_decided_waits_no_more_and_undo_brings_it_back(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    taken(records, held_by(ADA))
    records.changes.make([decided(photo, Verdict(status=Status.APPROVED), by=ADA)])
    assert taken(records, held_by(ADA)) == []
    assert not records.reviews.claim(held_by(ADA), photo)
    records.changes.make([undone(photo, by=ADA)])
    assert records.reviews.claim(held_by(ADA), photo)
    assert taken(records, held_by(BOB)) == []
    assert taken(records, held_by(ADA)) == [photo]


def test_of_several_items_of_a_photo_one_is_given(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    records.add_review_item(photo, "appeal")
    assert taken(records, held_by(ADA)) == [photo]
    assert taken(records, held_by(BOB)) == []
    assert not records.reviews.claim(held_by(BOB), photo)


def test_a_sample_is_closed_by_who_holds_it(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    records.changes.make([decided(photo, Verdict(status=Status.APPROVED), by=BOB)])
    records.add_review_item(photo, "sample")
    records.reviews.close(held_by(ADA), photo)
    assert taken(records, held_by(ADA)) == [photo]
    records.reviews.close(held_by(BOB), photo)
    assert records.review_items() == {(photo, "sample")}
    records.reviews.close(held_by(ADA), photo)
    assert records.review_items() == set()


def test_an_escalation_goes_to_admins_first_and_to_nobody_else(records: Records) -> None:
    young, photo = doubt(records, "age.low", "blur_variance")
    taken(records, held_by(ADA))
    assert not records.reviews.escalate(held_by(BOB), photo, note=None)
    assert records.reviews.escalate(held_by(ADA), photo, note="who is this?")
    assert not records.reviews.escalate(held_by(ADA), photo, note="again")
    records.reviews.release(held_by(ADA))
    assert taken(records, held_by(BOB)) == [young]
    records.reviews.release(held_by(BOB))
    assert not records.reviews.claim(held_by(BOB), photo)
    hand = records.reviews.take(held_by(ROOT), ANY, count=5)
    assert [(i.photo.id, i.kind, i.note, i.raised_by) for i in hand.items] == [
        (photo, Kind.ESCALATION, "who is this?", "ada"),
        (young, Kind.DOUBT, None, None),
    ]
    assert (hand.waiting.n, records.reviews.take(held_by(BOB), ANY, count=1).waiting.n) == (2, 1)


def test_words_of_an_escalation_go_with_its_photo(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    taken(records, held_by(ADA))
    records.reviews.escalate(held_by(ADA), photo, note="looks like Eve of Main Street")
    records.changes.make([withdrawn(photo, by=Principal(user_id="u"))])
    assert records.review_notes() == [None]


def test_reveals_are_of_a_person_and_a_photo(records: Records) -> None:
    first, second = doubt(records, "age.low", "nsfw.explicit")
    assert not records.reviews.revealed(first, ADA)
    records.reviews.reveal(first, ADA)
    records.reviews.reveal(first, ADA)
    seen = [records.reviews.revealed(p, who) for p in (first, second) for who in (ADA, BOB)]
    assert seen == [True, False, False, False]


@on_postgres
def test_many_at_once_never_hold_the_same_photo(records: Records) -> None:
    ids = doubt(records, *["nsfw.explicit"] * 60)
    got: list[list[str]] = [[] for _ in range(8)]

    def work(n: int) -> None:
        for round_ in range(3):
            got[n] += taken(records, held_by(ADA, f"tab-0000{n}-{round_}"), 3)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [photo for part in got for photo in part]
    assert len(everything) == len(set(everything))
    rest = taken(records, held_by(BOB), 60)
    assert set(everything) | set(rest) == set(ids)


@on_postgres
def test_of_four_who_claim_at_once_one_gets_it(records: Records) -> None:
    for photo in doubt(records, *["nsfw.explicit"] * 10):
        barrier = threading.Barrier(4)

        def claim(n: int, photo: str = photo, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return records.reviews.claim(held_by(ADA, f"tab-0000000{n}"), photo)

        with ThreadPoolExecutor(4) as threads:
            assert sorted(threads.map(claim, range(4))) == [False, False, False, True]


@pytest.mark.quick
@pytest.mark.parametrize(
    "tab", ["", "short", "x" * 65, "with/slash", "ümlaut-äöü", "tab-0000001\n"]
)
def test_a_tab_cannot_pass_for_another_person(tab: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it quotes the tab alone
        Holder(person=ADA, tab=tab)


class TestSessions:
    LINK = SignInLink(
        id="link-of-16-chars-or-more",
        expires_at=datetime(2999, 1, 1, tzinfo=UTC),
        principal=ADA,
    )

    def test_a_link_begins_one_session(self, records: Records) -> None:
        assert records.sessions.begin(self.LINK, "hash-1")
        assert not records.sessions.begin(self.LINK, "hash-2")
        assert records.sessions.find("hash-1") == ADA
        assert records.sessions.find("hash-2") is None

    @pytest.mark.parametrize("over", ["idle", "a day"])
    def test_a_session_ends(self, records: Records, over: str) -> None:
        records.sessions.begin(self.LINK, "hash")
        if over == "idle":
            records.age_sessions(seen_s=SESSION_IDLE_S - 60)
            assert records.sessions.find("hash") == ADA  # which counts as a request
            records.age_sessions(seen_s=SESSION_IDLE_S - 60)
            assert records.sessions.find("hash") == ADA
            records.age_sessions(seen_s=SESSION_IDLE_S + 60)
        else:
            records.age_sessions(begun_s=SESSION_S + 60)
        assert records.sessions.find("hash") is None

    def test_they_are_listed_until_they_end(self, records: Records) -> None:
        others = SignInLink(id="l2", expires_at=self.LINK.expires_at, principal=BOB)
        records.sessions.begin(self.LINK, "a")
        records.age_sessions(seen_s=3600)
        records.sessions.begin(others, "b")
        listed = records.sessions.listed(limit=10)
        assert [(s.id, s.principal) for s in listed] == [("b", BOB), ("a", ADA)]
        assert (listed[1].began_at - listed[1].seen_at).total_seconds() == pytest.approx(3600, 1)
        assert [s.id for s in records.sessions.listed(limit=1)] == ["b"]
        records.age_sessions(seen_s=SESSION_IDLE_S - 1800)
        assert [s.id for s in records.sessions.listed(limit=10)] == ["b"]
        assert records.sessions.end("b")
        assert not records.sessions.end("b")
        assert records.sessions.listed(limit=10) == []

    def test_signing_out(self, records: Records) -> None:
        others = SignInLink(id="l2", expires_at=self.LINK.expires_at, principal=BOB)
        again = SignInLink(id="l3", expires_at=self.LINK.expires_at, principal=ADA)
        for link, hash_ in ((self.LINK, "a"), (others, "b"), (again, "c")):
            records.sessions.begin(link, hash_)
        records.sessions.end("a")
        records.sessions.end("a")
        assert [records.sessions.find(h) for h in "abc"] == [None, BOB, ADA]
        assert records.sessions.end_all("ada") == 1
        assert [records.sessions.find(h) for h in "abc"] == [None, BOB, None]


def test_the_sweep_removes_sessions_and_reveals_that_are_over(records: Records) -> None:
    (photo,) = doubt(records, "nsfw.explicit")
    records.reviews.reveal(photo, ADA)
    records.sessions.begin(TestSessions.LINK, "hash")
    records.outbox.prune(limit=10)
    assert records.sessions.find("hash") == ADA
    records.age_sessions(begun_s=SESSION_S + 60)
    records.outbox.prune(limit=10)
    records.age_sessions(begun_s=-2 * SESSION_S)
    assert records.sessions.find("hash") is None
    assert records.reviews.revealed(photo, ADA)

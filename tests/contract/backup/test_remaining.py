"""What is held against the list of photos that remain: nothing erased comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.backup.remaining import RESTORER, parsed, replay
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Principal, Status, Verdict
from photogate.domain.changes import decided, held, lifted, withdrawn
from tests import predecessor
from tests.contract.backup.place import MODERATOR, Place, taken


@pytest.mark.slow
def test_what_was_erased_and_withdrawn_since_does_not_come_back(
    here: Place, there: Place, backups: Path
) -> None:
    stays, by_owner = here.photo("stays"), here.photo("erased")
    here.photo("erased")
    in_review, suspected = here.photo("stays"), here.photo("stays")
    rejected, waits = here.photo("stays"), here.photo("stays", "review")
    file = taken(here, backups)

    here.change(withdrawn(by_owner, by=Principal(user_id="erased")))
    # The other one by another program, which writes no history.
    here.pool.transaction(lambda s: s.rows("DELETE FROM media WHERE user_id = 'erased'"))
    here.change(decided(rejected, Verdict(status=Status.REJECTED, reason="nsfw"), by=MODERATOR))
    here.change(held(in_review, by=MODERATOR))
    here.change(lifted(in_review, because="a mistake", by=MODERATOR))
    here.change(held(suspected, by=MODERATOR))
    # Approving again is for people: a machine brings nothing back.
    here.change(decided(waits, Verdict(status=Status.APPROVED), by=MODERATOR))
    here.photo("came later")
    remaining = backups / "remaining.csv"
    assert here.did("remaining", remaining) == f"{remaining}: 6 photos remain\n"

    said = there.did("restore", file, "--remaining", remaining)
    assert "photos that came back: 7; erased again: 2; withdrawn again: 3" in said
    assert there.states() == {
        stays: "approved",
        in_review: "review",
        suspected: "rejected",
        rejected: "rejected",
        waits: "review",
    }
    assert not [text for text in there.objects().values() if text.startswith("erased ")]
    kept = {key: text for key, text in here.objects().items() if text.startswith("stays ")}
    assert there.objects() == kept
    scores = there.pool.transaction(lambda s: s.rows("SELECT moderation_scores AS m FROM media"))
    assert [row["m"] for row in scores] == [{"n": 1}] * 5
    who = there.pool.transaction(
        lambda s: s.rows(
            "SELECT user_id, reason FROM history JOIN subjects ON person = subjects.id"
            " WHERE photo_id = :id",
            id=rejected,
        )
    )
    assert who == [{"user_id": RESTORER.user_id, "reason": "nsfw"}]
    # A second time changes nothing.
    listed = parsed(remaining.read_text().splitlines())
    again = replay(there.pool, listed)
    assert (again.photos, again.erased, again.withdrawn) == (5, 0, 0)


_BATCH = "INSERT INTO batches (id, user_id, file_keys) VALUES (:batch, 'waits', '{}')"


_OF_BATCH = "UPDATE media SET batch_id = :batch WHERE CAST(id AS text) = :id"


def test_what_was_decided_since_is_not_judged_again(
    here: Place, there: Place, backups: Path
) -> None:
    rejected, in_review = here.photo("waits", "pending"), here.photo("waits", "pending")
    held_, waits = here.photo("waits", "pending"), here.photo("waits", "pending")
    by_people, again = here.photo("waits", "review"), here.photo("waits", "review")
    look_again = "UPDATE media SET reopened = true WHERE CAST(id AS text) = :id"
    here.pool.transaction(lambda s: s.rows(look_again, id=again))
    for batch, photo in (("settled", rejected), ("open", waits)):
        here.pool.transaction(lambda s, b=batch: s.rows(_BATCH, batch=b))  # type: ignore[misc]  # bound now
        here.pool.transaction(lambda s, b=batch, p=photo: s.rows(_OF_BATCH, batch=b, id=p))  # type: ignore[misc]  # bound now
    file = taken(here, backups)

    no = Verdict(status=Status.REJECTED, reason="nsfw")
    for photo in (rejected, by_people):
        here.change(decided(photo, no, by=MODERATOR))
    here.change(decided(in_review, Verdict(status=Status.REVIEW), by=MODERATOR))
    here.change(held(held_, by=MODERATOR))
    here.did("remaining", backups / "remaining.csv")

    said = there.did("restore", file, "--remaining", backups / "remaining.csv")
    assert "erased again: 0; withdrawn again: 0; decided again: 5" in said
    assert there.states() == {
        rejected: "rejected",
        in_review: "review",
        held_: "rejected",
        waits: "pending",
        by_people: "rejected",
        again: "review",
    }
    open_ = there.pool.transaction(lambda s: s.rows("SELECT id FROM media WHERE reopened"))
    assert open_ == [], "a machine could approve it"
    jobs = "SELECT id FROM batches WHERE finished_at IS NULL"
    assert there.pool.transaction(lambda s: s.rows(jobs)) == [{"id": "open"}]


@pytest.mark.slow
def test_an_empty_list_erases_all_only_when_told_to(
    here: Place, there: Place, backups: Path
) -> None:
    migrate(there.pool)
    photo, list_ = here.photo("u"), backups / "remaining.csv"
    there.did("remaining", list_)
    assert "the list holds no photo, and would erase all" in here.replayed(list_)
    assert set(here.states()) == {photo}
    # Nor does it take the place of one with photos.
    here.did("remaining", list_)
    before = list_.read_bytes()
    assert "is it the right one? Where all were erased" in there.refused("remaining", list_)
    assert list_.read_bytes() == before
    assert list(backups.iterdir()) == [list_]
    assert "0 photos remain" in there.did("remaining", list_, "--force")
    there.did("remaining", list_)
    assert "erased again: 1" in here.replayed(list_, "--erase-all")
    assert here.states() == {}


@pytest.mark.slow
def test_a_restore_with_an_empty_list(
    here: Place, make_place: Callable[[], Place], backups: Path
) -> None:
    here.photo("u")
    file, list_ = taken(here, backups), backups / "remaining.csv"
    here.pool.transaction(lambda s: s.rows("DELETE FROM media"))
    here.did("remaining", list_)
    said = make_place().refused("restore", file, "--remaining", list_)
    assert "the list holds no photo" in said
    there = make_place()
    said = there.did("restore", file, "--remaining", list_, "--erase-all")
    assert "erased again: 1" in said
    assert there.objects() == {}


def test_a_list_does_not_erase_what_came_after_it(here: Place, backups: Path) -> None:
    stays, goes = here.photo("u"), here.photo("u")
    list_ = backups / "remaining.csv"
    here.did("remaining", list_)
    lines = list_.read_text().splitlines(keepends=True)
    list_.write_text("".join(li for li in lines if goes not in li).replace("end,2", "end,1"))
    newer = here.photo("u")
    said = here.replayed(list_)
    assert "erased again: 1; withdrawn again: 0; newer than the list, and kept: 1" in said
    assert set(here.states()) == {stays, newer}


@pytest.mark.parametrize(
    ("at_work", "said"),
    [
        (
            "INSERT INTO workers (id, host, pid, model, started_at)"
            " VALUES ('w', 'h', 1, '', now())",
            "workers: 1",
        ),
        (
            "INSERT INTO sweeps (holder, held_until) VALUES ('s', now() + interval '9 s')",
            "sweeps: 1",
        ),
        ("", "connected: 1"),
    ],
)
def test_nothing_is_replayed_beside_processes(
    here: Place, backups: Path, at_work: str, said: str
) -> None:
    goes = here.photo("u")
    list_ = backups / "remaining.csv"
    here.did("remaining", list_)
    list_.write_text(list_.read_text().replace(goes, goes[::-1]))
    other = Pool(here.url, size=1)
    other.transaction(lambda s: s.rows(at_work or "SELECT 1"))
    if at_work:
        other.close()
    assert f"at work on this database ({said}): stop it" in here.replayed(list_)
    other.close()
    assert set(here.states()) == {goes}


@pytest.mark.slow
@pytest.mark.parametrize("status", predecessor.STATUS)
def test_a_table_of_another_program(
    make_place: Callable[[], Place], backups: Path, status: str
) -> None:
    here, there = make_place(), make_place()
    predecessor.create(here.pool, rows=200, status=status)
    migrate(here.pool)
    file = taken(here, backups, "--allow-missing")
    before = here.states()
    gone = predecessor.value(
        here.pool, "SELECT CAST(user_id AS text) FROM media WHERE is_approved LIMIT 1"
    )
    # It takes the photos with it.
    here.pool.transaction(lambda s: s.rows("DELETE FROM users WHERE id = CAST(:u AS uuid)", u=gone))
    remaining = backups / "remaining.csv"
    here.did("remaining", remaining)
    there.did("restore", file, "--remaining", remaining)
    photos = "SELECT CAST(id AS text) AS id FROM media WHERE media_type = 'photo'"
    left = {row["id"] for row in predecessor.ask(there.pool, photos)}
    assert left == {row["id"] for row in predecessor.ask(here.pool, photos)}
    assert {id_: s for id_, s in there.states().items() if id_ in left} == {
        id_: s for id_, s in before.items() if id_ in left
    }
    assert predecessor.value(there.pool, "SELECT count(*) FROM public_photos")
    videos = predecessor.value(there.pool, "SELECT count(*) FROM media WHERE media_type = 'video'")
    assert videos == 20, "they are the other program's to erase"

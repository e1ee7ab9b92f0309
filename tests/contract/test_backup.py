"""Backups over real PostgreSQL: complete or not there, and nothing erased comes back."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.backup import programs
from local.backup.archive import Reader, Writer, written_whole
from local.backup.remaining import RESTORER, parsed, replay
from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.migration_files import shipped
from photogate.adapters.postgres.pool import Pool, connect, connect_arguments
from photogate.domain import Principal, Status, Verdict
from photogate.domain.changes import Change, decided, held, lifted, withdrawn
from photogate.errors import ConfigError
from tests import predecessor
from tests.docs import block
from tests.e2e.running import PHOTOGATE, clean_environment
from tests.servers import eventually

MODERATOR = Principal(user_id="moderator")


class Place:
    """One installation without processes: a database, a folder of photos, an empty home."""

    def __init__(self, folder: Path, url: str) -> None:
        self.photos = folder / "photos"
        self.url = url
        self.pool = Pool(url, size=2)
        self.environment = {
            **clean_environment(),
            "PHOTOGATE_HOME": str(folder / "home"),
            "DATABASE_URL": url,
            "PHOTOS_DIR": str(self.photos),
            "JWT_SECRET": "0123456789abcdef-a-secret-of-the-tests",
        }

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PHOTOGATE, *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def module(
        self, *arguments: str, stdin: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a module as containers do."""
        self.pool.close()  # its connections are of this installation as well
        with stdin.open() if stdin else nullcontext(subprocess.DEVNULL) as input_:
            return subprocess.run(
                [sys.executable, "-m", *arguments],
                env=self.environment,
                stdin=input_,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )

    def replayed(self, list_: Path, *options: str) -> str:
        """Hold the database against a list as containers do; gives what that says."""
        done = self.module("local.backup.remaining", "replay", *options, stdin=list_)
        return done.stdout or done.stderr

    def did(self, *arguments: str | Path, **environment: str) -> str:
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str | Path, **environment: str) -> str:
        done = self.run(*arguments, **environment)
        assert done.returncode == 1, done.stdout
        lines = [line for line in done.stderr.splitlines() if not line.startswith("· ")]
        assert len(lines) == 1, done.stderr
        return lines[0]

    def photo(self, user: str, status: str = "approved") -> str:
        """Add a photo with its objects; gives its id."""

        def work(session: Any) -> str:
            (row,) = session.rows(
                "INSERT INTO media (user_id, url, upload_key, original_key, display_key,"
                "   moderation_status, moderation_scores, moderated_at)"
                " SELECT :u, 'withheld/' || id, 'incoming/' || id, 'kept/' || id || '-0',"
                "   'copies/display/' || id || '-0.jpg', :status, '{\"n\": 1}', now()"
                " FROM (SELECT CAST(gen_random_uuid() AS text) AS id) AS made RETURNING"
                " CAST(id AS text) AS id, original_key, display_key",
                u=user,
                status=status,
            )
            shown = row["display_key"]
            copies = [shown.replace("display", name) for name in ("display", "thumb", "preview")]
            for key in (row["original_key"], *copies):
                (self.photos / key).parent.mkdir(parents=True, exist_ok=True)
                (self.photos / key).write_text(f"{user} {key}")
            return str(row["id"])

        return self.pool.transaction(work)

    def change(self, change: Change) -> None:
        (outcome,) = PostgresChanges(self.pool).make([change])
        assert outcome.refusal is None

    def states(self) -> dict[str, str]:
        rows = self.pool.transaction(
            lambda s: s.rows("SELECT CAST(id AS text) AS id, moderation_status AS m FROM media")
        )
        return {row["id"]: row["m"] for row in rows}

    def objects(self) -> dict[str, str]:
        files = [path for path in self.photos.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.photos)): path.read_text() for path in files}


@pytest.fixture
def make_place(postgres_url: str, tmp_path: Path) -> Iterator[Callable[[], Place]]:
    """Make installations, each with a new database."""
    connection = connect(connect_arguments(postgres_url))
    names: list[str] = []
    made: list[Place] = []

    def make() -> Place:
        names.append(f"place_{time.time_ns()}")
        connection.run(f"CREATE DATABASE {names[-1]}")
        folder = tmp_path / names[-1]
        folder.mkdir()
        url = urlsplit(postgres_url)._replace(path=f"/{names[-1]}").geturl()
        made.append(Place(folder, url))
        return made[-1]

    yield make
    for place in made:
        place.pool.close()
    for name in names:
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


@pytest.fixture
def here(make_place: Callable[[], Place]) -> Place:
    """One with tables."""
    place = make_place()
    migrate(place.pool)
    return place


@pytest.fixture
def there(make_place: Callable[[], Place]) -> Place:
    """An empty one."""
    return make_place()


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def taken(place: Place, backups: Path, *options: str) -> Path:
    place.did("backup", backups, *options)
    (made,) = backups.glob("photogate-*.tar")
    return made


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


@pytest.mark.parametrize("broken", ["pg_dump", "tar", "local.backup.remaining"])
def test_containers_files_are_whole_or_stay(tmp_path: Path, broken: str) -> None:
    """The page's own commands, on an engine that is played; one of them fails half-way."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"""#!/bin/sh
echo "some of $*"
case "$*" in *{broken}*) exit 2;; esac
""")
    docker.chmod(0o755)
    names = {"pg_dump": "database.dump", "tar": "photos.tar"}
    stays = tmp_path / names.get(broken, "remaining.csv")
    stays.write_text("of yesterday")
    subprocess.run(
        ["bash", "-c", block("docs/backup.md", holding="pg_dump").script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"},
        check=False,
    )
    assert stays.read_text() == "of yesterday"
    new = {"database.dump", "photos.tar", "remaining.csv"} - {stays.name}
    for name in new:
        assert (tmp_path / name).read_text().startswith("some of compose exec -T")
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("ends", "said"), [(0, 0), (1, 0), (2, 1)])
def test_a_photo_that_goes_does_not_fail_the_tar(tmp_path: Path, ends: int, said: int) -> None:
    tar = tmp_path / "tar"
    tar.write_text(f"#!/bin/sh\nexit {ends}\n")
    tar.chmod(0o755)
    (command,) = re.findall(r"sh -c '(.*?)'", block("docs/backup.md", holding="pg_dump").script)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], env=path, check=False)
    assert done.returncode == said


def test_containers_remove_files_that_no_row_names(
    here: Place, there: Place, backups: Path
) -> None:
    here.photo("stays")
    goes = here.photo("goes")
    list_ = backups / "remaining.csv"
    here.did("remaining", list_)
    list_.write_text(list_.read_text().replace(goes, goes[::-1]))
    here.replayed(list_)
    of_both = here.objects()
    for key in ("kept/late-0", "copies/thumb/late, with a comma.jpg", "incoming/u/1", "incoming/2"):
        (here.photos / key).parent.mkdir(parents=True, exist_ok=True)
        (here.photos / key).write_text("late")
    (here.photos / "of-another-program").write_text("mine")
    here.pool.transaction(
        lambda s: s.rows(
            "INSERT INTO upload_urls (file_key, user_id, size_bytes, expires_at)"
            " VALUES ('incoming/2', 'u', 1, now())"
        )
    )
    done = here.module("local.backup.objects", "remove-unnamed")
    assert (done.returncode, done.stderr) == (0, "")
    left = set(here.objects())
    kept = {key for key, text in of_both.items() if text.startswith("stays ")}
    assert left == kept | {"incoming/2", "of-another-program"}
    assert f"removed: {len(of_both) - len(kept) + 3}\n" in done.stdout

    # Not by another database.
    migrate(there.pool)
    there.environment["PHOTOS_DIR"] = str(here.photos)
    done = there.module("local.backup.objects", "remove-unnamed")
    assert done.returncode == 1
    assert "no row of this database names any of the" in done.stderr
    assert set(here.objects()) == left


def test_containers_empty_list_is_a_failure(here: Place) -> None:
    written = here.module("local.backup.remaining", "write")
    assert written.returncode == 1
    assert "there are no photos in this database" in written.stderr
    written = here.module("local.backup.remaining", "write", "--force")
    assert (written.returncode, written.stdout[-6:]) == (0, "end,0\n")


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


def test_a_backup_is_for_its_owner_and_has_names_of_secrets_only(
    here: Place, backups: Path
) -> None:
    here.photo("u")
    (here.photos / "incoming").mkdir()
    (here.photos / "incoming" / "of-nobody").write_text("was never handed in")
    file = backups / "a.tar"
    (said,) = here.did("backup", file).splitlines()
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile("manifest.json") or pytest.fail("no manifest"))
    assert names[:2] == ["manifest.json", "database.dump"]
    assert len(names) == 2 + 4 + 1
    assert "JWT_SECRET" in manifest["secrets"]
    assert said == f"{file}: 4 objects of photos, {file.stat().st_size / 1e6:.1f} MB"
    assert manifest["schema"] == shipped()[-1].number
    assert here.environment["JWT_SECRET"].encode() not in file.read_bytes()


def test_a_backup_without_the_photos_is_a_failure(here: Place, backups: Path) -> None:
    here.photo("u")
    _, *lost = sorted(here.objects())
    (here.photos / lost[0]).unlink()
    said = here.did("backup", backups / "some-go-meanwhile.tar")
    assert "1 objects that the database names are not in the folder" in said
    for key in lost[1:]:
        (here.photos / key).unlink()
    said = here.refused("backup", backups / "most.tar")
    assert f"3 of 4 objects that the database names are not in {here.photos}" in said
    assert "PHOTOS_DIR and take another, or say --allow-missing" in said
    Reader(backups / "most.tar").close()
    here.did("backup", backups / "known.tar", "--allow-missing")


def test_a_folder_that_is_not_there(here: Place, backups: Path) -> None:
    none = backups / "none"
    assert f"there is no folder {none}: make it" in here.refused("backup", none)
    assert f"there is no folder {none}: make it" in here.refused("backup", none / "a.tar")
    assert f"there is no folder {none}: make it" in here.refused("remaining", none / "list.csv")
    assert list(backups.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_two_backups_at_once_do_not_replace_each_other(
    backups: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "as FAT does")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = backups / "a.tar"

    def both() -> None:
        with written_whole(file) as one, written_whole(file) as two:
            one.write(b"1")
            two.write(b"2")

    with pytest.raises(ConfigError, match="is there already"):
        both()
    assert file.read_bytes() == b"2"
    assert list(backups.iterdir()) == [file]


def test_photos_in_a_bucket_stay_there(here: Place, backups: Path) -> None:
    here.photo("u")
    bucket = {"PHOTOS_DIR": "", "S3_BUCKET_PHOTOS": "own-photos"}
    said = here.did("backup", backups / "b.tar", **bucket)
    assert "b.tar: 0 objects of photos" in said
    assert "photos are in the bucket own-photos, which this file does not hold" in said


def test_photos_of_a_folder_and_of_a_bucket_do_not_mix(
    here: Place, there: Place, backups: Path
) -> None:
    here.photo("u")
    bucket = {"PHOTOS_DIR": "", "S3_BUCKET_PHOTOS": "own-photos"}
    inside, outside = backups / "inside.tar", backups / "outside.tar"
    here.did("backup", inside)
    here.did("backup", outside, **bucket)
    said = there.refused("restore", inside, "--with-erased", **bucket)
    assert "keeps its own in the bucket own-photos: set PHOTOS_DIR" in said
    said = there.refused("restore", outside, "--with-erased")
    assert "are in the bucket own-photos, and not in the file: set S3_BUCKET_PHOTOS" in said
    said = there.did("restore", outside, "--with-erased", **bucket)
    assert "photos' objects are in the bucket" in said


@pytest.mark.slow
class TestRefusals:
    @pytest.fixture
    def file(self, here: Place, backups: Path) -> Path:
        here.photo("u")
        return taken(here, backups)

    def test_one_has_to_say_what_is_with_erased_photos(self, there: Place, file: Path) -> None:
        said = there.refused("restore", file)
        assert "--remaining FILE, or say --with-erased" in said
        assert "all photos came back" in there.did("restore", file, "--with-erased")
        assert len(there.states()) == 1

    def test_only_an_empty_installation_takes_it(
        self, here: Place, there: Place, file: Path
    ) -> None:
        assert "the database is not empty" in here.refused("restore", file, "--with-erased")
        there.photos.mkdir()
        (there.photos / "mine").write_text("x")
        assert "holds photos already" in there.refused("restore", file, "--with-erased")
        assert there.pool.transaction(lambda s: s.row("SELECT to_regclass('media') AS m")) == {
            "m": None
        }

    def test_half_a_file_is_none(self, there: Place, file: Path, backups: Path) -> None:
        half = backups / "half.tar"
        half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        assert str(half) in there.refused("restore", half, "--with-erased")
        other = backups / "other.tar"
        other.write_text("no tar")
        assert "cannot be read as a backup" in there.refused("restore", other, "--with-erased")

    @pytest.mark.parametrize("odd", ["photos/../evil", "photos/link"])
    def test_what_leads_elsewhere_is_not_written(
        self, there: Place, file: Path, backups: Path, odd: str
    ) -> None:
        changed = backups / "changed.tar"
        with tarfile.open(file) as tar, tarfile.open(changed, "w") as out:
            for member in tar.getmembers():
                if member.name == "end.json":
                    added = tarfile.TarInfo(odd)
                    if odd.endswith("link"):
                        added.type, added.linkname = tarfile.SYMTYPE, "/etc/hostname"
                    out.addfile(added)
                out.addfile(member, tar.extractfile(member))
        said = there.refused("restore", changed, "--with-erased")
        assert "odd name" in said or "is not a file" in said
        assert all("evil" not in key and "link" not in key for key in there.objects())
        assert not (there.photos.parent / "evil").exists()

    def test_a_list_that_does_not_fit(
        self, here: Place, there: Place, file: Path, backups: Path
    ) -> None:
        old, whole = backups / "old.csv", backups / "whole.csv"
        here.did("remaining", whole)
        head, _, rest = whole.read_text().partition("\n")
        old.write_text(f"{head.partition(',')[0]},2020-01-01T00:00:00+00:00\n{rest}")
        said = there.refused("restore", file, "--remaining", old)
        assert "was written before the backup" in said
        old.write_text(whole.read_text().rpartition("end,")[0])
        assert "is not complete" in there.refused("restore", file, "--remaining", old)
        # Of an installation that has none of these photos.
        photo = next(iter(here.states()))
        old.write_text(whole.read_text().replace(photo, photo[::-1]))
        said = there.refused("restore", file, "--remaining", old)
        assert "it is of another installation" in said
        assert there.objects() == {}

    def test_a_file_is_not_replaced(self, here: Place, file: Path) -> None:
        before = file.read_bytes()
        assert "is there already" in here.refused("backup", file)
        assert file.read_bytes() == before

    def test_nothing_to_save(self, there: Place, backups: Path) -> None:
        assert "there is nothing to save" in there.refused("backup", backups / "none.tar")
        assert list(backups.glob("none*")) == []

    def test_nobody_says_where_photos_are(self, here: Place, tmp_path: Path) -> None:
        here.environment.pop("PHOTOS_DIR")
        assert "Set PHOTOS_DIR or S3_BUCKET_PHOTOS" in here.refused("backup", tmp_path)
        here.did("remaining", tmp_path / "list.csv")

    def test_no_stack_has_run(self, there: Place, tmp_path: Path) -> None:
        there.environment.pop("DATABASE_URL")
        assert "no stack has run in" in there.refused("backup", tmp_path)


def test_a_killed_backup_leaves_no_file_under_its_name(here: Place, backups: Path) -> None:
    here.photo("u")
    with here.pool.patient() as blocking:
        blocking.run("BEGIN")
        blocking.run("LOCK TABLE notices IN ACCESS EXCLUSIVE MODE")
        running = subprocess.Popen(
            [PHOTOGATE, "backup", backups / "b.tar"], env=here.environment, start_new_session=True
        )
        eventually(
            lambda: blocking.run(
                "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'notices'::regclass"
            )
        )
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        blocking.run("ROLLBACK")
    (part,) = backups.iterdir()
    assert part.name.startswith(".photogate-part-")
    os.utime(part, (0, 0))
    here.did("backup", backups / "b.tar")
    assert [path.name for path in backups.iterdir()] == ["b.tar"]
    Reader(backups / "b.tar").close()


def test_many_photos_take_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.tar").open("wb") as file:
        writer = Writer(file)
        writer.document("first", {})
        tracemalloc.start()
        try:
            for number in range(2000):
                writer.document(f"photos/{number}", {})
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        writer.close()
    assert held < 100_000, "a member has some 400 bytes"
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert len(tar.getnames()) == 2001


def test_one_that_still_writes_keeps_its_part(backups: Path) -> None:
    with written_whole(backups / "one") as file:
        file.write(b"1")
        (part,) = backups.iterdir()
        os.utime(part, (0, 0))
        with written_whole(backups / "two"):
            pass
    assert {path.name for path in backups.iterdir()} == {"one", "two"}


def test_a_program_of_the_servers_version_or_newer() -> None:
    assert programs.major_of("pg_dump (PostgreSQL) 17.6 (Debian 17.6-1.pgdg12+1)") == 17
    assert programs.major_of("18.4") == 18
    with pytest.raises(ConfigError, match="pg_dump of PostgreSQL 99 or newer"):
        programs.find("pg_dump", at_least=99)

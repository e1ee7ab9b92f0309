"""A backup is complete or not there, and says what is not in it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from local.backup import programs
from local.backup.archive import Reader, Writer, written_whole
from photogate.adapters.postgres.migration_files import shipped
from photogate.errors import ConfigError
from tests.contract.backup.place import Place
from tests.e2e.running import PHOTOGATE
from tests.servers import eventually


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


@pytest.mark.slow
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


@pytest.mark.slow
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

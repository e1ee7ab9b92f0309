"""What a backup and a restore refuse, each in one line."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.contract.backup.place import Place, taken


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

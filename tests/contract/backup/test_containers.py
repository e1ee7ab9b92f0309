"""The commands of docs/backup.md for containers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from photogate.adapters.postgres.migrate import migrate
from tests.contract.backup.place import Place
from tests.docs import block


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

"""An installation without processes, for backups and restores."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from photogate.adapters.postgres.changes import PostgresChanges
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Principal
from photogate.domain.changes import Change
from tests.e2e.running import PHOTOGATE, clean_environment

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


def taken(place: Place, backups: Path, *options: str) -> Path:
    place.did("backup", backups, *options)
    (made,) = backups.glob("photogate-*.tar")
    return made

"""An installation of the earlier layout gets its copies while everything goes on being shown.

A larger rehearsal than CI's, with its figures:

    PHOTOGATE_REHEARSAL=100000,2000 .venv/bin/pytest tests/functions/test_upgrade.py -s
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.photos import mix
from functions.moderate import app as moderate
from local.client import PhotogateClient
from local.worker import Worker
from photogate import bootstrap
from photogate.adapters.postgres.outbox import PostgresOutbox
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Role
from photogate.messages import CopyJob, decode
from tests.docs import ROOT
from tests.functions.conftest import Installation
from tests.servers import eventually

_PHOTOS_PER_USER = 25
#: Rows, and how many of them are approved photos of 640×480 to 12 megapixels.
_ROWS, _PHOTOS = map(int, os.environ.get("PHOTOGATE_REHEARSAL", "2000,100").split(","))


class Reader:
    """Somebody who looks at all approved photos, again and again, by the URLs that are given."""

    def __init__(self, installation: Installation, users: list[str]) -> None:
        self._owners = [installation.client(user) for user in users]
        self._viewer = installation.client("a-viewer", Role.VIEWER)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        #: Answers to each GET of a photo, and what lists told of photos.
        self.answers: Counter[int] = Counter()
        self.told: Counter[str] = Counter()
        self.rounds = 0

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for owner in self._owners:
                self._see(owner.photos())
            self._see(self._dashboard(self._viewer))
            self.rounds += 1

    def _dashboard(self, viewer: PhotogateClient) -> list[dict[str, Any]]:
        params = {"status": "approved", "limit": 100}
        media: list[dict[str, Any]] = viewer.call(
            "GET", "/admin/moderation/dashboard", params=params
        )["media"]
        return media

    def _see(self, photos: list[dict[str, Any]]) -> None:
        for photo in photos:
            self.told[photo["moderation_status"]] += 1
            if photo["moderation_status"] == "approved":
                self.answers[requests.get(photo["url"], timeout=30).status_code] += 1


@pytest.mark.slow
def test_nothing_is_missing_while_copies_are_made(
    installation: Installation, pool: Pool, tmp_path: Path
) -> None:
    """The sweep and one worker make copies, while somebody reads without a pause."""
    users = _earlier_installation(pool, tmp_path / "photos", rows=_ROWS, photos=_PHOTOS)
    admin = installation.client("an-admin", Role.ADMIN)
    copies = admin.call("GET", "/admin/queue-stats")["copies"]
    assert copies == {"waiting": 0, "earlier": min(_ROWS, 10_000)}

    parts, began = moderate.parts(), time.monotonic()
    worker = Worker(parts)

    def work_until(done: Callable[[], bool]) -> float:
        while not done():
            bootstrap.sweep().run()
            while (delivery := parts.queue.receive(wait_s=0)) is not None and not done():
                assert isinstance(decode(delivery.body), CopyJob)
                worker._work(delivery)
        return time.monotonic() - began

    with Reader(installation, users) as reader:
        eventually(lambda: reader.rounds > 0, within_s=60)
        shown_s = work_until(lambda: _shown_as_copies(pool) == _PHOTOS)
        rounds = reader.rounds
        eventually(lambda: reader.rounds > rounds, within_s=300)
    sys.stdout.write(
        f"{_ROWS} rows, {_PHOTOS} photos: copies after {shown_s:.0f} s, meanwhile"
        f" {reader.answers} by GET\n"
    )
    assert set(reader.answers) == {200}
    assert set(reader.told) == {"approved"}
    # What is left has no object, and is shown to nobody.
    nothing = {"waiting": 0, "earlier": 0}
    took_s = work_until(lambda: admin.call("GET", "/admin/queue-stats")["copies"] == nothing)
    with Reader(installation, users) as after:
        eventually(lambda: after.rounds > 0, within_s=300)

    sys.stdout.write(f"all rows after {took_s:.0f} s\n")
    assert set(after.answers) == {200}
    assert set(after.told) == {"approved"}
    assert _shown_as_copies(pool) == _PHOTOS


def _shown_as_copies(pool: Pool) -> int:
    (row,) = pool.transaction(
        lambda s: s.rows(
            "SELECT count(*) AS n FROM media WHERE moderation_status = 'approved'"
            " AND url = display_key AND original_key LIKE 'kept/%'"
        )
    )
    return int(row["n"])


def test_the_objects_of_the_earlier_layout_can_be_removed(pool: Pool) -> None:
    """By the statement that docs/photos.md shows, where copies are there."""
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO media (user_id, url, upload_key, original_key, display_key,"
            " moderation_status) VALUES"
            " ('u', 'copies/display/a.jpg', 'users/a', 'kept/a', 'copies/display/a.jpg',"
            "  'approved'),"
            " ('u', 'withheld/b', 'users/b', 'users/b', NULL, 'review'),"
            " ('u', 'users/c', NULL, NULL, NULL, 'approved'),"
            " ('u', 'copies/display/d.jpg', 'incoming/d', 'kept/d', 'copies/display/d.jpg',"
            "  'approved')"
        )
    )
    page = (ROOT / "docs" / "photos.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    for _ in range(2):
        pool.transaction(lambda s: s.rows(statement))
        assert PostgresOutbox(pool).take_deletions(limit=10) == ["users/a"]


def _earlier_installation(pool: Pool, folder: Path, *, rows: int, photos: int) -> list[str]:
    """Fill the table, and the folder for what is approved; gives the owners of these."""
    uploads = mix(photos)
    approved = []
    for number, upload in enumerate(uploads):
        # Each has bytes of its own.
        data = upload.data + str(number).encode()
        user = f"user-{number // _PHOTOS_PER_USER}"
        key = f"users/{user}/photo/{number}.jpg"
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(data)
        approved.append((user, key, hashlib.sha256(data).hexdigest()))
    owners, keys, digests = (list(column) for column in zip(*approved, strict=True))
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO media (user_id, url, moderation_status, moderation_scores,"
            " moderated_at) SELECT u, k, 'approved',"
            " jsonb_build_object('sha256', d), now() FROM unnest(CAST(:users AS text[]),"
            " CAST(:keys AS text[]), CAST(:digests AS text[])) AS photo (u, k, d)",
            users=owners,
            keys=keys,
            digests=digests,
        )
    )
    # Their objects are gone. In parts, for a statement may take ten seconds.
    for first in range(1, rows - photos + 1, 2000):
        pool.transaction(
            lambda s, first=first: s.rows(  # type: ignore[misc]
                "INSERT INTO media (user_id, url, moderation_status, moderation_reason,"
                " moderated_at) SELECT 'others',"
                " 'users/others/photo/' || n || '.jpg', 'rejected', 'blurry', now()"
                " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n",
                first=first,
                last=min(first + 1999, rows - photos),
            )
        )
    return sorted(set(owners))

"""How fast a moderator gets on: ``python -m bench.review [--rows N] [--waiting N]``.

By default 1,000,000 photos, 10,000 of which wait for a person, in an installation of its own (2 GB
of disk): a moderator's calls over HTTP, alone and among eight, and the page in Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from bench.installation import Address, Installation, running
from bench.review_page import browse
from local.client import Upload
from local.samples import sample_photos
from photogate.adapters.postgres.pool import Pool, connect, connect_arguments
from photogate.domain import Role

_DECISIONS = 200
_MODERATORS = 8
_RARE_RULE = "age.low"
_HEAVY_USER = "review-heavy"
_NOBODY = "nobody-at-all"

#: As if uploaded over 400 days; what waits came within the last two. All share the copies of a few
#: real photos.
_MEDIA = f"""
INSERT INTO media (user_id, user_name, upload_key, url, display_key, batch_id, display_order,
    created_at, updated_at, moderated_at, moderation_status, moderation_scores)
SELECT CASE WHEN n % 20000 = 0 THEN '{_HEAVY_USER}' ELSE 'review-user-' || n / 20 END, 'Ada',
    'incoming/bench/' || n, 'withheld/bench-' || n, photo.display_key, 'review-' || n / 3, n % 3,
    at, at, at, CASE WHEN waits THEN 'review' ELSE 'approved' END,
    jsonb_set(photo.moderation_scores, '{{rule}}', CASE
        WHEN n % (7 * :each) = 0 THEN CAST(:nudity AS jsonb)
        WHEN n % (1000 * :each) = :each THEN CAST(:rare AS jsonb)
        ELSE CAST(:blur AS jsonb) END)
FROM (SELECT n, n % :each = 0 AS waits, now() - CASE WHEN n % :each = 0
        THEN n * interval '2 days' / :rows ELSE interval '2 days' + n * interval '400 days' / :rows
        END AS at FROM generate_series(1, :rows) AS n) AS made
JOIN (SELECT row_number() OVER () - 1 AS i, display_key, moderation_scores, count(*) OVER () AS many
      FROM media WHERE display_key IS NOT NULL) AS photo ON photo.i = n / :each % many
"""  # noqa: S608 - constants of this file
_ITEMS = """
INSERT INTO review_items (photo_id, kind, priority, created_at)
SELECT CAST(id AS text), 'doubt', CASE moderation_scores->'rule'->>'name'
    WHEN 'age.low' THEN 40 WHEN 'nsfw.most' THEN 30 ELSE 10 END, moderated_at
FROM media WHERE moderation_status = 'review'
"""
_RULES = {
    "nudity": {"name": "nsfw.most", "value": 0.62, "bound": 0.3},
    "rare": {"name": _RARE_RULE, "value": 17, "bound": 18},
    "blur": {"name": "blur_variance", "value": 20.5, "bound": 35},
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--no-browser", action="store_true")
    arguments = parser.parse_args()
    with running(workers=1, progress=_say) as installation:
        _fill(installation, arguments.rows, arguments.waiting)
        print(f"{arguments.rows:,} photos, {arguments.waiting:,} wait; milliseconds")
        _measure(installation.address)
        if not arguments.no_browser:
            for name, value in browse(installation.address).items():
                print(f"{name:44} {value}", flush=True)
    return 0


def _fill(installation: Installation, rows: int, waiting: int) -> None:
    """Let a few real photos be judged and copied, and add rows that share their copies."""
    _say("real photos")
    client = installation.address.client("review-seed")
    keys = [client.put(Upload(name="x", data=photo.data)) for photo in sample_photos()[:6]]
    client.complete(keys)
    with closing(Pool(os.environ["DATABASE_URL"], timeout_s=3600)) as pool:
        deadline = time.monotonic() + 120
        while _copied(pool) < 3:
            if time.monotonic() > deadline:
                raise SystemExit("the copies of the first photos were not made in time")
            time.sleep(0.2)
        _say("rows")
        # Without triggers, which would write a history of what never happened.
        pool.transaction(
            lambda s: (
                s.rows("SET LOCAL statement_timeout = 0; SET LOCAL synchronous_commit = off"),
                s.rows("ALTER TABLE media DISABLE TRIGGER USER"),
                s.rows(
                    _MEDIA,
                    rows=rows,
                    each=rows // waiting,
                    **{name: json.dumps(rule) for name, rule in _RULES.items()},
                ),
                s.rows("ALTER TABLE media ENABLE TRIGGER USER"),
                s.rows(_ITEMS),
            )
        )
    connection = connect(connect_arguments(os.environ["DATABASE_URL"]) | {"timeout": 3600})
    connection.run("SET statement_timeout = 0")
    connection.run("VACUUM ANALYZE")
    connection.close()


def _copied(pool: Pool) -> int:
    rows = pool.transaction(
        lambda s: s.rows("SELECT count(*) AS n FROM media WHERE display_key IS NOT NULL")
    )
    return int(rows[0]["n"])


class _Moderator:
    """Somebody who decides, as the page does: one call gets what is next and renews the rest."""

    def __init__(self, address: Address, name: str) -> None:
        self._client = address.client(name, Role.MODERATOR)
        self._tab = f"tab-{name}-000"

    def take(self, **wanted: Any) -> list[str]:
        """Get the next photos."""
        body = {"tab": self._tab, "count": 4, **wanted}
        held = self._client.call("POST", "/admin/review/take", json=body)
        return [item["photo_id"] for item in held["items"]]

    def reject(self, photo_id: str) -> None:
        """Decide."""
        body = {"tab": self._tab, "reason": "blurry"}
        self._client.call("POST", f"/admin/review/{photo_id}/reject", json=body)

    def owner(self, photo_id: str) -> None:
        """Look at the owner's other photos."""
        self._client.call("GET", f"/admin/review/{photo_id}/owner")

    def release(self) -> None:
        """Give back."""
        self._client.call("POST", "/admin/review/release", json={"tab": self._tab})

    def decides(self, count: int, takes: list[float], rejects: list[float]) -> None:
        """Decide so many, and note what each call took."""
        held = self.take()
        for _ in range(count):
            rejects.append(_ms(lambda photo=held[0]: self.reject(photo)))  # type: ignore[misc]
            found: list[list[str]] = []
            takes.append(_ms(lambda found=found: found.append(self.take())))  # type: ignore[misc]
            (held,) = found


def _measure(address: Address) -> None:
    ada = _Moderator(address, "bench-ada")
    takes: list[float] = []
    rejects: list[float] = []
    ada.decides(_DECISIONS, takes, rejects)
    _print("next item, one moderator", takes)
    _print("decision, one moderator", rejects)
    photo = ada.take()[0]
    _print("owner's other photos", [_ms(lambda: ada.owner(photo)) for _ in range(100)])
    for name, wanted in {
        "next item, rare rule": {"rule": _RARE_RULE},
        "next item, one user": {"user_id": _HEAVY_USER},
        "next item, a user without any": {"user_id": _NOBODY},
        "next item, a kind without any": {"kind": "appeal"},
    }.items():
        took = []
        for _ in range(50):
            ada.release()
            took.append(_ms(lambda wanted=wanted: ada.take(**wanted)))  # type: ignore[misc]
        _print(name, took)
    ada.release()
    takes, rejects = [], []
    crew = [_Moderator(address, f"bench-{n:03}") for n in range(_MODERATORS)]
    threads = [
        threading.Thread(target=one.decides, args=(_DECISIONS // 4, takes, rejects)) for one in crew
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _print(f"next item, {_MODERATORS} moderators without a pause", takes)
    _print(f"decision, {_MODERATORS} moderators without a pause", rejects)
    for one in crew:
        one.release()


def _ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _print(name: str, took: list[float]) -> None:
    median, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    print(f"{name:44} p50 {median:7.1f}  p95 {p95:7.1f}  ({len(took)})", flush=True)


def _say(line: str) -> None:
    print(f"· {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

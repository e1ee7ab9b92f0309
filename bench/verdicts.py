"""What copies cost: verdicts without them, with them, and copies alone.

    python -m bench.verdicts [--photos 900] [--latency]

Times are the database's: from upload-complete to the beginning of the transaction that writes the
verdict. For "without copies" a
trigger of this benchmark takes each wish for copies back, so that their jobs find nothing to do.
Runs on versions from before there were copies as well, for comparison.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from rich.console import Console

from bench.figures import percentile
from bench.installation import Installation, running
from bench.photos import TWO_MEGAPIXELS, mix, photos
from bench.throughput import _hand_in_all, _paused
from photogate.adapters.postgres.pool import Pool

console = Console(width=110, highlight=False)

_NO_WISH = """
CREATE OR REPLACE FUNCTION bench_no_copies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.copies_due_at := NULL; RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER bench_no_copies BEFORE UPDATE ON media
    FOR EACH ROW EXECUTE FUNCTION bench_no_copies();
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description=__doc__)
    parser.add_argument("--photos", type=int, default=900, help="in the filled queue")
    parser.add_argument("--latency", action="store_true", help="one photo at a time, and no more")
    arguments = parser.parse_args()
    with (
        running(workers=2, progress=lambda _: None) as installation,
        closing(Pool(os.environ["DATABASE_URL"], size=1)) as pool,
    ):
        console.print(f"one photo to its verdict: {_latency(installation, pool)}")
        if not arguments.latency:
            _measure(installation, pool, arguments.photos)


def _measure(installation: Installation, pool: Pool, count: int) -> None:
    if not _has_copies(pool):
        console.print(f"verdicts: {_verdicts(installation, pool, count)}")
        return
    with _no_copies(pool):
        console.print(f"verdicts without copies: {_verdicts(installation, pool, count)}")
    waiting = pool.transaction(
        lambda s: s.count(
            "UPDATE media SET copies_due_at = now()"
            " WHERE display_key IS NULL AND original_key LIKE 'kept/%'"
        )
    )
    # The sweep, once a minute, sends all of their jobs.
    _until(lambda: _queued(installation) > 0, within_s=120)
    began = time.monotonic()
    _until(lambda: not _left(pool), within_s=600)
    took_s = time.monotonic() - began
    console.print(f"copies alone: {waiting / took_s * 60:.0f} photos a minute")
    console.print(f"verdicts with copies: {_verdicts(installation, pool, count)}")


def _latency(installation: Installation, pool: Pool, *, times: int = 40) -> str:
    """Hand in one photo at a time, each once the one before has its verdict and its copies.

    Copies are made of rejected photos, too, whose clients wait for nothing any more.
    """
    copied = _has_copies(pool)
    uploads = photos(TWO_MEGAPIXELS, 5)
    client = installation.address.client(installation.new_user())
    for number in range(times):
        if number % 25 == 0:
            client = installation.address.client(installation.new_user())
        key = client.put(uploads[number % len(uploads)])
        client.complete([key])
        client.wait([key])
        if copied:
            _until(lambda: not _left(pool), within_s=60)
    took_ms = pool.transaction(
        lambda s: s.rows(
            "SELECT extract(epoch FROM moderated_at - batches.created_at) * 1000 AS ms"
            " FROM media JOIN batches ON batches.id = batch_id ORDER BY moderated_at"
        )
    )
    # The first ones find nothing loaded yet.
    found = [float(row["ms"]) for row in took_ms][5:]
    return f"{percentile(found, 50):.1f} ms (p95 {percentile(found, 95):.1f})"


def _verdicts(installation: Installation, pool: Pool, count: int) -> str:
    """Work off a filled queue."""
    pictures = mix(count)
    with _paused(installation.worker_pids()):
        _hand_in_all(installation, pictures)
        began = time.monotonic()
    _until(lambda: not _pending(pool), within_s=600)
    verdicts_s = time.monotonic() - began
    said = f"{count / verdicts_s * 60:.0f} photos a minute"
    if _has_copies(pool) and _left(pool):
        _until(lambda: not _left(pool), within_s=600)
        all_s = time.monotonic() - began
        said += f", {count / all_s * 60:.0f} with their copies"
    return said


@contextmanager
def _no_copies(pool: Pool) -> Iterator[None]:
    pool.transaction(lambda s: s.rows(_NO_WISH))
    yield
    pool.transaction(lambda s: s.rows("DROP TRIGGER bench_no_copies ON media"))


def _queued(installation: Installation) -> int:
    queue = installation.queue_stats()["queue"]
    return int(queue["length"]) + int(queue["in_flight"])


def _pending(pool: Pool) -> int:
    return _counted(pool, "SELECT count(*) AS n FROM media WHERE moderation_status = 'pending'")


def _left(pool: Pool) -> int:
    return _counted(pool, "SELECT count(*) AS n FROM media WHERE copies_due_at IS NOT NULL")


def _has_copies(pool: Pool) -> bool:
    return bool(
        _counted(
            pool,
            "SELECT count(*) AS n FROM information_schema.columns"
            " WHERE table_name = 'media' AND column_name = 'copies_due_at'",
        )
    )


def _counted(pool: Pool, sql: str) -> int:
    (row,) = pool.transaction(lambda s: s.rows(sql))
    return int(row["n"])


def _until(condition: Callable[[], bool], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("it took too long")
        time.sleep(0.05)


if __name__ == "__main__":
    main()

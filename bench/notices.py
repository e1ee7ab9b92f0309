"""What telling costs: the sender's time for each notice, and how the database grows.

``python -m bench.notices [--count 50000]``. The database is embedded; the receivers take
everything at once, so that nothing is measured but the sender and PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.notices import PostgresNotices
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Deadline
from photogate.domain.notices import Failure, Parcel, Receipt
from photogate.service.notices import Sending, Settling

#: As many photos as users have on average in a batch.
_OF_ONE_USER = 4
_TABLES = ("notices", "notice_deliveries", "notice_lines")
#: Notices that are decided at once; between two of these lots the sender runs.
_LOT = 5_000


@dataclass(frozen=True, kw_only=True)
class Taking:
    """A channel that takes everything."""

    name: str = "webhook"
    addressed: bool = False
    at_once: int = 20
    gathers_s: float = 0.0
    rests_s: float = 0.0

    def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:  # noqa: ARG002 - as all do
        """See the port."""
        return Receipt(told=len(parcel.notices))


class Quiet:
    """Watches nothing."""

    def notices_told(self, parcel: Parcel, count: int) -> None:
        """See the port."""

    def notice_failed(self, parcel: Parcel, failure: Failure, *, dead: bool) -> None:
        """See the port."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Home(Path(folder)))
        pool = Pool(server.start())
        try:
            migrate(pool)
            measure(pool, count)
        finally:
            pool.close()
            server.stop()


def measure(pool: Pool, count: int) -> None:
    """Let ``count`` decisions be told, lot by lot, and print what it took."""
    notices = PostgresNotices(pool)
    sending = Sending(notices, [Taking()], Settling(notices, Quiet()))
    before = size_bytes(pool)
    born_s = told_s = cpu_s = 0.0
    for first in range(0, count, _LOT):
        lot = min(_LOT, count - first)
        born_s += timed(lambda first=first, lot=lot: decide(pool, first, lot))  # type: ignore[misc]
        began = resource.getrusage(resource.RUSAGE_SELF)
        told_s += timed(lambda: sending.run(time_left_s=lambda: 600.0))
        ended = resource.getrusage(resource.RUSAGE_SELF)
        cpu_s += ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    rows = pool.transaction(
        lambda s: s.rows("SELECT count(*) AS n FROM notice_deliveries WHERE told_at IS NOT NULL")
    )
    assert rows[0]["n"] == count
    grown = size_bytes(pool) - before
    idle_s = timed(lambda: sending.run(time_left_s=lambda: 600.0))
    pruned_s = timed(lambda: prune(notices, pool))
    print(f"{count:,} decisions, {_OF_ONE_USER} of a user at once; {os.cpu_count()} cores")
    print(f"told: {count / told_s:,.0f} a second, {1e6 * cpu_s / count:,.0f} µs of processor each")
    print(f"written: {1e6 * born_s / count:,.0f} µs each, by themselves")
    print(
        f"database: {grown / count:,.0f} bytes each, {grown * 1e6 / count / 1e9:.2f} GB a million"
    )
    print(f"nothing due: {1e3 * idle_s:.1f} ms; removed: {count / pruned_s:,.0f} a second")


def decide(pool: Pool, first: int, count: int) -> None:
    """Write notices as changes of photos do."""
    pool.transaction(
        lambda s: s.rows(
            "INSERT INTO notices (photo_id, n, user_id, batch_id, file_key, status, before, reason,"
            "   by_person, corrects, sha256, due_at, waits)"
            " SELECT gen_random_uuid()::text, 1, 'user-' || i / CAST(:each AS bigint),"
            "   gen_random_uuid()::text,"
            "   'incoming/user-' || i / CAST(:each AS bigint) || '/photo/' || gen_random_uuid()"
            "     || '-1f2e3d4c5b6a79880f1e2d3c4b5a6978.jpg',"
            "   'rejected', 'pending', 'blurry', false, false,"
            "   repeat('ab', 32), now(), false"
            " FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i",
            first=first,
            last=first + count - 1,
            each=_OF_ONE_USER,
        )
    )


def prune(notices: PostgresNotices, pool: Pool) -> None:
    """Remove all of them, as the sweep does after a while."""
    pool.transaction(lambda s: s.rows("UPDATE notices SET decided_at = now() - interval '9 days'"))
    while notices.prune(days=7, limit=500):
        pass


def size_bytes(pool: Pool) -> int:
    """Give the size of the tables with their indexes."""
    tables = ", ".join(f"pg_total_relation_size('{table}')" for table in _TABLES)
    row = pool.transaction(lambda s: s.row(f"SELECT {tables.replace(', ', ' + ')} AS n"))
    assert row is not None
    return int(row["n"])


def timed(work: Callable[[], object]) -> float:
    """Give the seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

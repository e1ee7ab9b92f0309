"""How long the accuracy card takes: ``python -m bench.accuracy [VERDICTS]``."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from local.home import Home
from local.servers.embedded_postgres import EmbeddedPostgres
from photogate.adapters.postgres.accuracy import PostgresAccuracy
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool

_RUNS = 5
#: In pieces, for a statement may take ten seconds.
_PIECE = 50_000


def main() -> None:
    """Fill the history of four weeks, a fiftieth of it decided by people as well, and read it."""
    verdicts = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Home(Path(folder)))
        try:
            with closing(Pool(server.start())) as pool:
                migrate(pool)
                for first in range(0, verdicts, _PIECE):
                    _fill(pool, first, min(_PIECE, verdicts - first), verdicts)
                pool.transaction(lambda s: s.rows("ANALYZE history; ANALYZE samples"))
                counts = PostgresAccuracy(pool)
                took = []
                for _ in range(_RUNS):
                    began = time.perf_counter()
                    found = counts.of_days(28)
                    took.append(time.perf_counter() - began)
                print(
                    f"{found.all.judged:,} verdicts, {found.all.confirmed.total():,} looked at by"
                    f" people, {found.all.samples.total():,} samples:"
                    f" {sorted(took)[_RUNS // 2] * 1000:.0f} ms (median of {_RUNS})"
                )
        finally:
            server.stop()


def _fill(pool: Pool, first: int, count: int, of: int) -> None:
    pool.transaction(
        lambda s: s.rows(
            """
            INSERT INTO history (photo_id, n, at, action, by, owner, before, after, reason, policy,
                                 model)
            SELECT 'photo-' || i, 1, now() - interval '27 days' * i / :of, 'judge', 'machine', 1,
                   'pending', CASE i % 10 WHEN 0 THEN 'rejected' WHEN 1 THEN 'review'
                              ELSE 'approved' END,
                   CASE i % 10 WHEN 0 THEN 'blurry' END, 'community@4', repeat('0f', 32)
            FROM generate_series(CAST(:first AS bigint), :first + :count - 1) AS i
            """,
            first=first,
            count=count,
            of=of,
        )
    )
    pool.transaction(
        lambda s: s.rows(
            """
            INSERT INTO history (photo_id, n, at, action, by, owner, before, after, reason)
            SELECT 'photo-' || i, 2, now() - interval '26 days' * i / :of, 'verify', 'person', 1,
                   'rejected', 'rejected', 'blurry'
            FROM generate_series(CAST(:first AS bigint), :first + :count - 1, 50) AS i
            """,
            first=first,
            count=count,
            of=of,
        )
    )
    pool.transaction(
        lambda s: s.rows(
            """
            INSERT INTO samples (photo_id, policy, model, outcome)
            SELECT 'photo-' || i, 'community@4', repeat('0f', 32), 'agreed'
            FROM generate_series(CAST(:first AS bigint) + 2, :first + :count - 1, 500) AS i
            """,
            first=first,
            count=count,
        )
    )


if __name__ == "__main__":
    main()

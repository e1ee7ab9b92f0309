"""Reads what the workers wrote down: who died where, and how often a photo was looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photogate.adapters.postgres.pool import Pool


@dataclass(frozen=True, kw_only=True)
class Kill:
    """A worker that ended by ``kill -9`` with a batch in its hands."""

    at: float
    pid: int
    batch_id: str
    stage: str


class Notes:
    """The lines of all workers of a fleet, so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_bytes = 0
        self._lines: list[Mapping[str, Any]] = []

    @property
    def lines(self) -> Sequence[Mapping[str, Any]]:
        """In order of time; one that is being written is left out."""
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(end)
        self._lines += [json.loads(line) for line in whole.splitlines()]
        self._lines.sort(key=lambda line: float(line["at"]))
        return self._lines

    def kills(self, outside: Mapping[int, float]) -> list[Kill]:
        """Give the kills that hit a batch.

        Args:
            outside: pid -> when it was killed from outside; one that had acknowledged
                its last job had none in its hands.
        """
        found, last = [], {}
        for line in self.lines:
            last[line["pid"]] = line
            if line["what"] == "stopped":
                found.append(_kill(line, line["at"], line["stage"]))
        for pid, at in outside.items():
            line = last.get(pid, {"what": "acknowledged"})
            if line["what"] in ("received", "looked at"):
                found.append(_kill(line, at, "outside"))
        return sorted(found, key=lambda kill: kill.at)

    def looked_at(self) -> Counter[str]:
        """Count inferences by the photo's mark."""
        return Counter(line["mark"] for line in self.lines if line["what"] == "looked at")

    def repeated_beyond(
        self, kills: Sequence[Kill], marks: Mapping[str, Sequence[str]]
    ) -> tuple[int, list[str]]:
        """Count inferences that were repeated, and name those that no kill explains.

        Args:
            marks: the photos of each batch.
        """
        looked_at, killed = self.looked_at(), Counter(kill.batch_id for kill in kills)
        repeated, unexplained = 0, []
        for batch_id, photos in marks.items():
            for mark in photos:
                more = max(0, looked_at[mark] - 1)
                repeated += more
                if more > killed[batch_id]:
                    unexplained.append(
                        f"{mark} was looked at {more + 1} times, {killed[batch_id]} kills"
                    )
        return repeated, unexplained


def recoveries_s(pool: Pool, kills: Sequence[Kill]) -> list[float]:
    """Give, for each kill, how long its batch waited for its end or for the next kill."""
    rows = pool.transaction(
        lambda s: s.rows(
            "SELECT id, extract(epoch FROM finished_at) AS finished FROM batches"
            " WHERE id = ANY (CAST(:ids AS text[]))",
            ids=sorted({kill.batch_id for kill in kills}),
        )
    )
    finished = {row["id"]: float(row["finished"]) for row in rows}
    waits = []
    for number, kill in enumerate(kills):
        later = [k.at for k in kills[number + 1 :] if k.batch_id == kill.batch_id]
        ends = min([*later, finished.get(kill.batch_id, kill.at)])
        waits.append(max(0.0, ends - kill.at))
    return waits


def _kill(line: Mapping[str, Any], at: float, stage: str) -> Kill:
    return Kill(at=at, pid=line["pid"], batch_id=line["batch"], stage=stage)

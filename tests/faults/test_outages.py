"""The photo store or the face service away for 10 minutes under load: nobody has work from it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from photogate.service.moderate import MAX_DELIVERIES
from photogate_vision.faces.detector import EmbeddedFaces
from tests.compreface import KEY, Compreface
from tests.faults.client import Load
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Fleet, Installation, Servers, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album
from tests.faults.test_storage import behind_proxy
from tests.proxy import Break
from tests.servers import eventually

pytestmark = pytest.mark.slow

#: A full run's.
AWAY_S = 600.0
#: All is done so long after the part's return, but for what piled up, at so many photos a second.
WITHIN_S, PHOTOS_A_SECOND = 60.0, 5.0
#: A short run's jobs come again after this share of their pauses; the trials' rest is real.
HASTE = 0.05

Switch = Callable[[], None]


@contextmanager
def without_storage(
    servers: Servers, moto: str, _: Path
) -> Iterator[tuple[Installation, Switch, Switch]]:
    """Workers, API and sweep lose the bucket, to which clients still upload."""
    with behind_proxy(servers, moto) as (proxy, installation):

        def away() -> None:
            proxy.decide = lambda _: Break.BEFORE

        def back() -> None:
            proxy.decide = lambda _: Break.NOT

        yield installation, away, back


@contextmanager
def without_faces(
    servers: Servers, _: str, bundle: Path
) -> Iterator[tuple[Installation, Switch, Switch]]:
    """CompreFace is stopped, and started again where it was."""
    service, running = Compreface(EmbeddedFaces(bundle)), ExitStack()
    url = running.enter_context(service.serve())
    installation = Installation(
        servers,
        settings={
            "POLICY": "dating",
            "COMPREFACE_URL": url,
            "COMPREFACE_API_KEY": KEY,
            "JOB_DEADLINE_S": "120",
        },
    )

    def back() -> None:
        running.enter_context(service.serve(port=int(url.rpartition(":")[2])))

    try:
        installation.start()
        yield installation, running.close, back
    finally:
        installation.stop()
        running.close()


@pytest.mark.parametrize(
    ("without", "part"),
    [
        pytest.param(without_storage, "storage", id="storage"),
        pytest.param(without_faces, "faces", id="faces"),
    ],
)
def test_a_part_is_away(
    without: Any,
    part: str,
    servers: Servers,
    moto_server: str,
    faces_bundle: Path,
    installation: Installation,
    ledger: Ledger,
    album: Album,
    scale: Scale,
    close: Close,
) -> None:
    with without(servers, moto_server, faces_bundle) as (broken, away, back):
        slot = steady(delay_factor=1.0 if scale.full else HASTE)
        with fleet(broken, *[slot] * scale.of(2, 4)) as workers:
            load = Load(
                broken,
                ledger,
                album,
                photos=scale.of(60, 1_200),
                pause_s=scale.of(1, 4),
            )
            with load:
                # given photos that get their verdicts
                eventually(lambda: _verdicts(broken) > 0, within_s=60)
                away()
                _wait_out(broken, workers, scale)
                # when the part is back
                back()
                returned = time.time()
                load.join(120)
            within_s = WITHIN_S + ledger.photos / PHOTOS_A_SECOND
            # then all is done within a minute, without the outbox's help
            eventually(lambda: broken.open_batches() == 0, within_s=within_s)
            # and what was sent for waking finds nothing to do
            broken.settle(within_s=400)
        notes = workers.notes.lines
        recovery_s = _last_verdict(broken) - returned
        deliveries = _most_deliveries(broken, ledger)
    put_off, woken = (sum(n["what"] == what for n in notes) for what in ("put off", "woke"))
    account = close(
        f"{part} away for {'10 minutes' if scale.full else 'a while'}",
        injected=put_off,
        photos_of=broken,
        recovery_s=recovery_s,
        note=f"each time a job put off; {woken} woken",
    )
    # Nothing reached a person for that reason, and nothing was counted towards it.
    assert account.good_in_review == 0
    assert deliveries == 1
    # One batch may have two jobs when it is woken; the second finds the first at work.
    handed_back = [note["error"] for note in notes if note["what"] == "handed back"]
    assert [error for error in handed_back if "is being worked on" not in error] == []
    assert account.statuses["approved"] > 0
    assert recovery_s < within_s


def _wait_out(installation: Installation, workers: Fleet, scale: Scale) -> None:
    """Let the outage last: 10 minutes, or until it would have used up all deliveries twice."""

    def often() -> bool:
        put_off = Counter(n["batch_id"] for n in workers.notes.lines if n["what"] == "put off")
        return any(times > 2 * MAX_DELIVERIES for times in put_off.values())

    if scale.full:
        time.sleep(AWAY_S)
    else:
        eventually(often, within_s=120)
    assert installation.open_batches() > 0


def _verdicts(installation: Installation) -> int:
    (row,) = installation.pool.transaction(
        lambda s: s.rows(
            "SELECT count(*) AS n FROM media WHERE moderated_at > now() - interval '5 s'"
        )
    )
    return int(row["n"])


def _last_verdict(installation: Installation) -> float:
    (row,) = installation.pool.transaction(
        lambda s: s.rows("SELECT extract(epoch FROM max(finished_at)) AS at FROM batches")
    )
    return float(row["at"])


def _most_deliveries(installation: Installation, ledger: Ledger) -> int:
    (row,) = installation.pool.transaction(
        lambda s: s.rows(
            "SELECT max(deliveries) AS n FROM batches WHERE id = ANY (CAST(:ids AS text[]))",
            ids=ledger.batch_ids,
        )
    )
    return int(row["n"])

"""Real servers, API, sweep and workers as processes, to be killed and started again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil
import redis
import requests

from local.home import Home
from local.process import start_module, stop, wait_until
from local.servers.embedded_postgres import EmbeddedPostgres
from local.servers.embedded_redis import EmbeddedRedis
from photogate.adapters import photos_s3
from photogate.adapters.photos_files import FilePhotoStore
from photogate.adapters.postgres.migrate import migrate
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.queue_redis import RedisQueue, connect
from photogate.auth import issue_token
from photogate.domain import QueueStats, Role
from photogate.ports.photos import PhotoStore
from tests.conftest import SECRET
from tests.faults.forker import WorkerForker
from tests.faults.ledger import observe
from tests.faults.notes import Notes
from tests.faults.ports import Plan
from tests.servers import eventually

VISIBILITY_S = 2.0
_NUMBERS = count(1)


@dataclass
class Servers:
    """PostgreSQL and Redis of their own, which the tests may destroy."""

    home: Home
    postgres: EmbeddedPostgres = field(init=False)
    redis: EmbeddedRedis = field(init=False)
    database_url: str = ""
    redis_url: str = ""

    def __post_init__(self) -> None:
        self.postgres, self.redis = EmbeddedPostgres(self.home), EmbeddedRedis(self.home)

    def start(self) -> None:
        """Start what does not run."""
        if not self.postgres.alive:
            self.database_url = self.postgres.start()
        if not self.redis.alive:
            self.redis_url = self.redis.start()

    def stop(self) -> None:
        """Stop both."""
        self.redis.stop()
        self.postgres.stop()

    def postgres_process(self) -> psutil.Process:
        """Give PostgreSQL's first process."""
        pid_file = self.home.path / "postgres" / "data" / "postmaster.pid"
        return psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))

    def redis_process(self) -> psutil.Process:
        """Give Redis's process."""
        with redis.Redis.from_url(self.redis_url) as client:
            info: dict[str, Any] = client.info("server")
            return psutil.Process(info["process_id"])


@dataclass
class Installation:
    """API and sweep on those servers; workers come and go with ``fleet``."""

    servers: Servers
    #: Over the settings that follow from the servers.
    settings: dict[str, str] = field(default_factory=dict)
    url: str = ""
    _processes: dict[str, Popen[bytes]] = field(default_factory=dict)
    _pool: Pool | None = None
    _queue: RedisQueue | None = None

    @property
    def pool(self) -> Pool:
        """Connect to the database directly, past any proxy."""
        if self._pool is None:
            self._pool = Pool(self.servers.database_url)
        return self._pool

    @property
    def queue(self) -> RedisQueue:
        """The queue as its monitors see it."""
        if self._queue is None:
            self._queue = RedisQueue(connect(self.servers.redis_url), visibility_s=VISIBILITY_S)
        return self._queue

    @property
    def photos(self) -> Path:
        """The folder of the photos."""
        return self.servers.home.folder("photos")

    @property
    def store(self) -> PhotoStore:
        """The photos, past any proxy."""
        bucket = self.settings.get("S3_BUCKET_PHOTOS")
        if not bucket:
            return FilePhotoStore(self.photos, public_url=self.url, secret=SECRET)
        client = photos_s3.connect(
            region="us-east-1",
            endpoint=self.settings["S3_PUBLIC_ENDPOINT"],
            access_key=self.settings["S3_ACCESS_KEY"],
            secret_key=self.settings["S3_SECRET_KEY"],
        )
        return photos_s3.S3PhotoStore(client, bucket, presigner=client)

    def start(self) -> None:
        """Migrate, and start API and sweep."""
        migrate(self.pool)
        observe(self.pool)
        self.start_api()
        self._processes["sweep"] = start_module(
            "local.sweep", log=self.log("sweep"), settings=self.environment()
        )

    def start_api(self) -> None:
        """Start the API, on the port it had before."""
        port = self.servers.home.port(f"api-{id(self)}")
        self.url = f"http://127.0.0.1:{port}"
        process = start_module(
            "local.api", "--port", str(port), log=self.log("api"), settings=self.environment()
        )
        self._processes["api"] = process
        wait_until(self._answers, process=process, what="the API", log=self.log("api"))

    def stop(self) -> None:
        """Stop both, and close what was opened here."""
        for process in self._processes.values():
            stop(process)
        self._processes.clear()
        if self._pool is not None:
            self._pool.close()
        if self._queue is not None:
            self._queue.close()

    def environment(self) -> dict[str, str]:
        """Give the settings of its processes."""
        own = {
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "PHOTOS_DIR": str(self.photos),
            "PHOTOS_URL_SECRET": SECRET,
            "PUBLIC_URL": self.url,
            "JWT_SECRET": SECRET,
            "QUEUE_VISIBILITY_S": str(VISIBILITY_S),
            "JOB_DEADLINE_S": "5",
            "SWEEP_INTERVAL_S": "0.5",
            "POLICY": "community",
        }
        both = own | self.settings
        return {name: value for name, value in both.items() if value}

    def log(self, name: str) -> Path:
        """Where a process of this name writes."""
        return self.servers.home.folder("logs") / f"{name}-{id(self)}.log"

    def token(self, user: str, role: Role = Role.USER) -> str:
        """Sign a caller's token."""
        return issue_token(user, secret=SECRET, role=role, lifetime_s=4 * 3600)

    def a_while_passes(self, seconds: float = 60.0) -> None:
        """Let the outbox be due as if so much time had passed; nothing else changes."""
        self.pool.transaction(
            lambda s: s.rows(
                "UPDATE batches SET next_enqueue_at"
                " = next_enqueue_at - make_interval(secs => :s) WHERE finished_at IS NULL",
                s=seconds,
            )
        )

    def copies_are_due(self) -> None:
        """Let copies be due again as if enough time had passed; nothing else changes."""
        self.pool.transaction(
            lambda s: s.rows(
                "UPDATE media SET copies_due_at = now(), copies_lease_until = NULL"
                " WHERE copies_due_at > now()"
            )
        )

    def uncopied(self) -> int:
        """Count photos that wait for copies."""
        (row,) = self.pool.transaction(
            lambda s: s.rows("SELECT count(*) AS n FROM media WHERE copies_due_at IS NOT NULL")
        )
        return int(row["n"])

    def workers(self) -> set[int]:
        """Give the process ids of the workers that announced themselves."""
        rows = self.pool.transaction(lambda s: s.rows("SELECT pid FROM workers"))
        return {row["pid"] for row in rows}

    def open_batches(self) -> int:
        """Count batches without all of their verdicts."""
        (row,) = self.pool.transaction(
            lambda s: s.rows("SELECT count(*) AS n FROM batches WHERE finished_at IS NULL")
        )
        return int(row["n"])

    def settle(self, *, within_s: float = 300.0, hasten: bool = False) -> None:
        """Wait until no batch is open, no job under way, and no photo without its copies.

        Copies whose job is not in the queue are due at once, else after minutes.

        Args:
            hasten: whether the outbox's time passes faster; else what is lost from the
                queue takes a minute and more.
        """

        def settled() -> bool:
            if hasten:
                self.a_while_passes(0.2)
            stats: QueueStats = self.queue.stats()
            left = self.open_batches() + stats.visible + stats.in_flight + stats.delayed
            if left or not self.uncopied():
                return left == 0
            self.copies_are_due()
            return False

        eventually(settled, within_s=within_s)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/v1/health", timeout=2).ok
        except requests.RequestException:
            return False


@dataclass
class Fleet:
    """Worker processes; one that ends is replaced at once by the slot's next plan."""

    installation: Installation
    notes: Notes
    #: Slot -> gives the plan of its next worker; None leaves the slot empty.
    slots: list[Callable[[], Plan | None]]
    _workers: list[psutil.Process | None] = field(default_factory=list)
    _forker: WorkerForker = field(default_factory=WorkerForker)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _tending: threading.Thread | None = None

    def start(self) -> None:
        """Start all, and wait until they have announced themselves."""
        self._workers = [self._launch(slot) for slot in range(len(self.slots))]
        self.wait_until_ready()
        self._tending = threading.Thread(target=self._tend, name="fleet", daemon=True)
        self._tending.start()

    def stop(self) -> None:
        """End all workers, also those that hold a job."""
        self._stopping.set()
        if self._tending is not None:
            self._tending.join()
        for slot in range(len(self._workers)):
            self.kill(slot)
        psutil.wait_procs([worker for worker in self._workers if worker is not None])
        self._forker.close()

    def wait_until_ready(self) -> None:
        """Wait until a worker lives in each slot that has one, and takes jobs."""

        def ready() -> bool:
            workers = [worker for worker in self._workers if worker is not None]
            return {worker.pid for worker in workers} <= self.installation.workers()

        eventually(ready, within_s=60)

    def send(self, slot: int, number: int) -> int:
        """Send a signal to a slot's worker, if it has one; gives its pid."""
        worker = self._workers[slot]
        if worker is None:
            return 0
        try:
            worker.send_signal(number)
        except psutil.NoSuchProcess:
            return 0
        return worker.pid

    def kill(self, slot: int) -> int:
        """``kill -9`` a slot's worker."""
        return self.send(slot, signal.SIGKILL)

    def pid(self, slot: int) -> int:
        """Give the pid of a slot's worker, 0 when it has none."""
        worker = self._workers[slot]
        return worker.pid if worker is not None and worker.is_running() else 0

    def _tend(self) -> None:
        while not self._stopping.wait(0.02):
            for slot, worker in enumerate(self._workers):
                if worker is None or not worker.is_running():
                    self._workers[slot] = self._launch(slot)

    def _launch(self, slot: int) -> psutil.Process | None:
        plan = self.slots[slot]()
        if plan is None:
            return None
        return self._forker.start_worker(
            replace(plan, notes=str(self.notes.path)),
            log=self.installation.log(f"worker-{slot}"),
            settings=self.installation.environment(),
        )


@contextmanager
def fleet(installation: Installation, *slots: Callable[[], Plan | None]) -> Iterator[Fleet]:
    """Run workers by these slots."""
    notes = installation.servers.home.folder("notes") / f"{next(_NUMBERS)}.jsonl"
    notes.touch()
    running = Fleet(installation, Notes(notes), list(slots))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def steady(**more: Any) -> Callable[[], Plan]:
    """A slot whose workers live as long as nobody else ends them; ``more`` as ``Plan`` has it."""
    return lambda: Plan(notes="", **more)

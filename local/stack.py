"""The whole of Photogate on one machine: servers, API, workers and sweep as child processes."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import requests

from local.embedded_postgres import EmbeddedPostgres
from local.embedded_redis import EmbeddedRedis, find_server
from local.home import EMBEDDED_POLICY, Home, port_is_free
from local.model_build import DEFAULT, ensure_faces
from local.own_models import bundle_folder
from local.process import last_line, start_module, stop, wait_until
from local.verdicts import gate_lines
from photogate import bootstrap
from photogate.bootstrap import choose
from photogate.errors import ConfigError, FacesUnavailable
from photogate.settings import PolicySettings

logger = logging.getLogger(__name__)

#: A child that lived this long died of something new: its backoff starts afresh.
_STEADY_S = 60.0
_LONGEST_BACKOFF_S = 30.0
_SERVER_STARTS = 5
#: All of them together.
_CHILDREN_GONE_WITHIN_S = 10.0


@dataclass
class _Child:
    """One of our own modules as a process."""

    name: str
    module: str
    arguments: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    start_again_at: float | None = None


@dataclass(kw_only=True)
class Stack:
    """PostgreSQL, Redis, the API, workers and the sweep.

    What the environment already names (``DATABASE_URL``, ``REDIS_URL``, ``MODEL_DIR`` …)
    is used instead of an embedded part. Without any Redis PostgreSQL carries the jobs.
    """

    home: Home
    port: int = 8000
    workers: int = 2
    #: Which model looks; None leaves it to the environment, or is the shipped one.
    model: str | None = None
    #: Called with one line per step.
    progress: Callable[[str], None] = print
    #: Why the stack cannot go on, once it cannot.
    failure: ConfigError | None = None
    _servers: list[EmbeddedPostgres | EmbeddedRedis] = field(default_factory=list)
    _children: list[_Child] = field(default_factory=list)
    _held: ExitStack = field(default_factory=ExitStack)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _tending: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the API answers."""
        return os.environ.get("PUBLIC_URL") or f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything and wait until it works; settings go into the environment.

        Raises:
            ConfigError: a part cannot be started; says which and what to do. What was
                started already is stopped again.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self._tending = threading.Thread(target=self._tend, name="tend", daemon=True)
        self._tending.start()

    def stop(self) -> None:
        """Stop everything in order: no new requests, jobs finished, servers last."""
        self._stopping.set()
        if self._tending is not None:
            self._tending.join()
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + _CHILDREN_GONE_WITHIN_S
        for child in self._children:
            if child.process is not None:
                stop(child.process, within_s=max(0.0, deadline - time.monotonic()))
        self._children.clear()
        while self._servers:
            self._servers.pop().stop()
        self._held.close()

    def pids(self, name: str) -> list[int]:
        """Give the process ids of the children whose name starts with ``name``."""
        return [
            child.process.pid
            for child in self._children
            if child.name.startswith(name) and child.process and child.process.poll() is None
        ]

    def _tend(self) -> None:
        """Start again whatever ended by itself, until ``stop``."""
        while not self._stopping.wait(0.5):
            for server in self._servers:
                if not server.alive and not self._revived(server):
                    return
            for child in self._children:
                self._tend_child(child)

    def _revived(self, server: EmbeddedPostgres | EmbeddedRedis) -> bool:
        """Start a server again; a killed one may need a moment until its rest is gone."""
        name = type(server).__name__
        for _ in range(_SERVER_STARTS):
            logger.warning("%s has ended and starts again", name)
            try:
                server.start()
                return True
            except (ConfigError, OSError) as error:
                problem = error
                if self._stopping.wait(1.0):
                    return False
        self.failure = ConfigError(str(problem))
        return False

    def _tend_child(self, child: _Child) -> None:
        now = time.monotonic()
        if child.start_again_at is not None:
            if now < child.start_again_at:
                return
            try:
                self._launch(child)
            except OSError as error:  # no memory, no room for its log
                child.start_again_at = now + _LONGEST_BACKOFF_S
                logger.warning("%s cannot be started: %s", child.name, error)
        elif child.process is not None and child.process.poll() is not None:
            child.deaths = 0 if now - child.started_at > _STEADY_S else child.deaths + 1
            wait_s = min(_LONGEST_BACKOFF_S, 0.25 * 2**child.deaths)
            child.start_again_at = now + wait_s
            logger.warning(
                "%s ended with %d and starts again in %.1f s: %s",
                child.name,
                child.process.returncode,
                wait_s,
                last_line(self._logs / f"{child.name}.log"),
            )

    def _start(self) -> None:
        # Photos, logs, jobs and the database are nobody else's business.
        os.umask(0o077)
        self._held.enter_context(self.home.locked())
        if not port_is_free(self.port):
            raise ConfigError(
                f"port {self.port} is in use, perhaps by another Photogate: stop that, or"
                " choose another port (make run PORT=8001) and folder (PHOTOGATE_HOME)"
            )
        if self.model is not None or not os.environ.get("MODEL_DIR"):
            os.environ["MODEL_DIR"] = str(bundle_folder(self.model or DEFAULT, self.progress))
        if not os.environ.get("POLICY"):
            os.environ["POLICY"] = EMBEDDED_POLICY
        policy = choose.policy(choose.settings_of(PolicySettings))
        if policy.content is not None:  # a file, which the children may not find from elsewhere
            os.environ["POLICY"] = str(Path(os.environ["POLICY"]).resolve())
        detector = os.environ.get("COMPREFACE_URL") or os.environ.get("FACES_DIR")
        if policy.needs("faces") and not detector:
            os.environ["FACES_DIR"] = str(ensure_faces(self.progress))
        if not (os.environ.get("DATABASE_URL") or os.environ.get("DB_HOST")):
            self.progress("starting PostgreSQL")
            postgres = EmbeddedPostgres(self.home)
            self._servers.append(postgres)
            os.environ["DATABASE_URL"] = postgres.start()
        if self._wants_redis():
            self.progress("starting Redis")
            redis = EmbeddedRedis(self.home)
            self._servers.append(redis)
            os.environ["REDIS_URL"] = redis.start()
        self._fill_in_settings()
        if applied := bootstrap.migrate():
            self.progress(f"migrated the database: {', '.join(applied)}")
        # Better said here, in one line, than in the logs of four children.
        bootstrap.check_settings()
        for probe in bootstrap.upload().probes.values():
            try:
                probe.check()
            except FacesUnavailable as error:
                # A service of others, which may start later or come back.
                self.progress(
                    f"warning: {error}; until it answers, photos are tried again and then"
                    " go to a person"
                )

        self.progress(f"starting the API, {self.workers} workers and the sweep")
        self._children += [
            _Child("api", "local.api", ("--port", str(self.port))),
            *(_Child(f"worker-{n + 1}", "local.worker") for n in range(self.workers)),
            _Child("sweep", "local.sweep"),
        ]
        for child in self._children:
            self._launch(child)
        for child in self._children:
            self._await(child)
        if (newest := bootstrap.upload().workers.newest()) is not None:
            for line in gate_lines(newest.policy, newest.gates):
                self.progress(line)

    def _wants_redis(self) -> bool:
        """Tell whether jobs travel through a Redis of our own.

        They travel through PostgreSQL where no redis-server can be had.
        """
        if os.environ.get("REDIS_URL") or os.environ.get("REDIS_HOST"):
            return False
        if not os.environ.get("QUEUE_BACKEND") and find_server() is None:
            self.progress("there is no redis-server here: PostgreSQL carries the jobs")
            os.environ["QUEUE_BACKEND"] = "postgres"
        return (os.environ.get("QUEUE_BACKEND") or "redis") == "redis"

    def _fill_in_settings(self) -> None:
        own = {
            "PHOTOS_DIR": str(self.home.folder("photos")),
            "PHOTOS_URL_SECRET": self.home.secret("photos_url"),
            "PUBLIC_URL": self.url,
            # The workers are processes of this very installation.
            "ACCEPT_HEIC": str(find_spec("pillow_heif") is not None),
        }
        if not os.environ.get("JWT_JWKS_URL"):
            own["JWT_SECRET"] = self.home.secret("jwt")
        for name, value in own.items():
            if not os.environ.get(name):
                os.environ[name] = value
        names = {*own, "DATABASE_URL", "REDIS_URL", "MODEL_DIR", "JWT_SECRET"}
        names |= {"FACES_DIR", *(name.upper() for name in PolicySettings.model_fields)}
        names |= {name for name in os.environ if name.startswith("QUEUE_")}
        self.home.save_environment({n: os.environ[n] for n in sorted(names) if n in os.environ})

    def _launch(self, child: _Child) -> None:
        child.process = start_module(
            child.module,
            *child.arguments,
            log=self._logs / f"{child.name}.log",
        )
        child.started_at, child.start_again_at = time.monotonic(), None

    def _await(self, child: _Child) -> None:
        assert child.process is not None  # noqa: S101 - just launched
        ready: Callable[[], bool]
        if child.name == "api":
            ready = self._api_answers
        elif child.name.startswith("worker"):
            alive, pid = bootstrap.upload().workers, child.process.pid
            ready = lambda: any(w.pid == pid for w in alive.alive())  # noqa: E731
        else:
            return
        log = self._logs / f"{child.name}.log"
        wait_until(ready, process=child.process, what=child.name, log=log)

    def _api_answers(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port}/api/v1/health"
            return requests.get(url, timeout=2).ok
        except requests.RequestException:
            return False

    @property
    def _logs(self) -> Path:
        return self.home.folder("logs")

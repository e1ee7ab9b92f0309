"""The whole of Photogate on one machine: servers, API, workers and sweep as child processes."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import requests

from local.children import Child
from local.home import EMBEDDED_POLICY, Home, port_is_free
from local.models.chosen import chosen_bundles
from local.process import stop
from local.servers.embedded_postgres import EmbeddedPostgres
from local.servers.embedded_redis import EmbeddedRedis, find_server
from local.verdicts import gate_lines
from photogate import bootstrap
from photogate.bootstrap import choose
from photogate.domain.markers import TEST_MODE_ON
from photogate.errors import ConfigError, FacesUnavailable
from photogate.secrecy import hide
from photogate.settings import (
    AdminSettings,
    AlertSettings,
    MetricsSettings,
    ModerateSettings,
    PolicySettings,
    SenderSettings,
    ServeSettings,
    SweepSettings,
    UploadSettings,
    secret_names,
    setting_names,
)

logger = logging.getLogger(__name__)

#: The secret settings that each of our modules reads.
_OF_API = secret_names(UploadSettings, AdminSettings, MetricsSettings)
_OF_WORKER = secret_names(ModerateSettings)
_OF_SWEEP = secret_names(SweepSettings, SenderSettings, AlertSettings)

_SERVER_STARTS = 5
#: All of them together.
_CHILDREN_GONE_WITHIN_S = 10.0


@dataclass(kw_only=True)
class Stack:
    """PostgreSQL, Redis, the API, workers and the sweep.

    What the environment already names (``DATABASE_URL``, ``REDIS_URL``, ``S3_BUCKET_PHOTOS``,
    ``MODEL_DIR`` …) is used instead of an embedded part. Without any Redis PostgreSQL carries
    the jobs. All settings are kept in the folder for other commands, until the next stack there.
    """

    home: Home
    port: int = 8000
    workers: int = 2
    #: Which model looks; None leaves it to the environment, or is the shipped one.
    model: str | None = None
    #: Called with one line per step.
    progress: Callable[[str], None] = print
    #: Called with one line when a part has ended by itself.
    alert: Callable[[str], None] = logger.warning
    #: Asked, with the plan in lines, before a database of others that holds tables is migrated.
    may_migrate: Callable[[list[str]], bool] = lambda _: False
    #: Why the stack cannot go on, once it cannot.
    failure: ConfigError | None = None
    _servers: list[EmbeddedPostgres | EmbeddedRedis] = field(default_factory=list)
    _children: list[Child] = field(default_factory=list)
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
            child.pid
            for child in self._children
            if child.name.startswith(name) and child.pid is not None
        ]

    def _tend(self) -> None:
        """Start again whatever ended by itself, until ``stop``."""
        while not self._stopping.wait(0.5):
            for server in self._servers:
                if not server.alive and not self._revived(server):
                    return
            for child in self._children:
                child.tend()

    def _revived(self, server: EmbeddedPostgres | EmbeddedRedis) -> bool:
        """Start a server again; a killed one may need a moment until its rest is gone."""
        logs = self.home.folder("logs")
        self.alert(f"{server.ending}; it starts again at once (logs: {logs})")
        for _ in range(_SERVER_STARTS):
            try:
                server.start()
                return True
            except (ConfigError, OSError) as error:
                problem = error
                if self._stopping.wait(1.0):
                    return False
        self.failure = ConfigError(str(problem))
        return False

    def _start(self) -> None:
        # Only this user may read photos, logs, jobs and the database; and not each of its processes
        # what is secret.
        os.umask(0o077)
        hide()
        self._held.enter_context(self.home.locked())
        if not port_is_free(self.port):
            raise ConfigError(
                f"port {self.port} is in use, perhaps by another Photogate: stop that, or"
                " choose another port (make run PORT=8001) and folder (PHOTOGATE_HOME)"
            )
        # What can be wrong without any server is told before one is started.
        choose.settings_of(ServeSettings)
        if not os.environ.get("POLICY"):
            os.environ["POLICY"] = EMBEDDED_POLICY
        policy = choose.policy(choose.settings_of(PolicySettings))
        if policy.content is not None:  # a file, which the children may not find from elsewhere
            os.environ["POLICY"] = str(Path(os.environ["POLICY"]).resolve())
        bundles = chosen_bundles(policy, self.progress, model=self.model)
        os.environ.update({name.upper(): value for name, value in bundles.items()})
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
        self._ask_before_migrating()
        if applied := bootstrap.migrate():
            self.progress(f"migrated the database: {', '.join(applied)}")
        # Checked here, so that one line says it, not the logs of four children.
        bootstrap.check_settings()
        if choose.settings_of(UploadSettings).test_mode:
            self.progress(f"warning: {TEST_MODE_ON}")
        # The workers are processes of this very installation.
        if choose.settings_of(UploadSettings).accept_heic and find_spec("pillow_heif") is None:
            raise ConfigError("ACCEPT_HEIC: pillow-heif is not installed; docs/heic.md shows how")
        for probe in bootstrap.upload().health.probes.values():
            try:
                probe.check()
            except FacesUnavailable as error:
                # A service of others, which may start later or come back.
                self.progress(
                    f"warning: {error}; until it answers, photos are tried again and then"
                    " go to a person"
                )

        self.progress(f"starting the API, {self.workers} workers and the sweep")
        workers = range(self.workers)
        self._children += [
            self._child("api", "local.api", _OF_API, "--port", str(self.port)),
            *(self._child(f"worker-{n + 1}", "local.worker", _OF_WORKER) for n in workers),
            self._child("sweep", "local.sweep", _OF_SWEEP),
        ]
        for child in self._children:
            child.launch()
        for child in self._children:
            self._await(child)
        if (newest := bootstrap.upload().health.workers.newest()) is not None:
            for line in gate_lines(newest.policy, newest.gates):
                self.progress(line)

    def _ask_before_migrating(self) -> None:
        """Change no database of somebody else's that nobody has agreed to change."""
        if any(isinstance(server, EmbeddedPostgres) for server in self._servers):
            return
        plan = bootstrap.plan_migration()
        if not plan.migrations or plan.empty or self.may_migrate(plan.lines):
            return
        raise ConfigError(
            "the database of DATABASE_URL holds tables, and would be migrated"
            f" ({len(plan.migrations)} steps): see what that does with `photogate migrate"
            " --dry-run`, then start with `photogate up --migrate`"
        )

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
        own = {"PUBLIC_URL": self.url, "ALERT_STATE": str(self.home.path / "alerts.json")}
        if not os.environ.get("S3_BUCKET_PHOTOS"):
            own["PHOTOS_DIR"] = str(self.home.folder("photos"))
            own["PHOTOS_URL_SECRET"] = self.home.secret("photos_url")
        if os.environ.get("JWT_JWKS_URL"):
            own["FILE_KEY_SECRET"] = self.home.secret("file_keys")
        else:
            own["JWT_SECRET"] = self.home.secret("jwt")
        for name, value in own.items():
            if not os.environ.get(name):
                os.environ[name] = value
        said = {name: os.environ.get(name) for name in sorted(setting_names())}
        self.home.save_environment({name: value for name, value in said.items() if value})

    def _child(self, name: str, module: str, secrets: set[str], *arguments: str) -> Child:
        return Child(
            name=name,
            module=module,
            secrets=secrets,
            arguments=arguments,
            log=self.home.folder("logs") / f"{name}.log",
            alert=self.alert,
            beats=module == "local.worker",
        )

    def _await(self, child: Child) -> None:
        if child.name == "api":
            child.wait_until(self._api_answers)
        elif child.name.startswith("worker"):
            workers, here = bootstrap.upload().health.workers, (socket.gethostname(), child.pid)
            child.wait_until(lambda: any((w.host, w.pid) == here for w in workers.alive()))

    def _api_answers(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port}/api/v1/health"
            return requests.get(url, timeout=2).ok
        except requests.RequestException:
            return False

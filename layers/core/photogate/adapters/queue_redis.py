"""The queue on Redis; its steps are in ``queue_redis.lua``, beside this file.

``LLEN photo_moderation_queue`` answers the visible jobs. Redis should run with
``appendonly yes``, ``appendfsync always`` and ``maxmemory-policy noeviction``; what it
loses all the same is sent again from the database by the sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from importlib.resources import files
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from photogate.domain import DeadJob, Delivery, QueueStats
from photogate.errors import ConfigError, QueueUnavailable

P = ParamSpec("P")
T = TypeVar("T")

#: The predecessor's name; operators know it.
QUEUE_NAME = "photo_moderation_queue"

#: Jobs that are removed in one call; Redis does nothing else meanwhile.
PURGED_AT_ONCE = 1000
#: A worker that misses a wake hint waits this much longer.
_BLOCK_S = 1.0
READ_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 2.0


def connect(url: str, *, read_timeout_s: float = READ_TIMEOUT_S) -> redis.Redis:
    """Make a client for ``redis://[:password@]host:port/db``; connects when first used.

    A broken connection is replaced once per call, without waiting.

    Args:
        read_timeout_s: longest time that Redis may be silent, also while a connection is
            made; twice that for a call. ``receive`` needs more than the 1 s that it blocks.

    Raises:
        ConfigError: the URL is not valid.
    """
    try:
        parts = urlsplit(url)
        if "@" in parts.path + parts.query + parts.fragment:
            raise ValueError("a password with a / or # would be taken for a port and a path")
        return redis.Redis.from_url(
            url,
            socket_timeout=read_timeout_s,
            socket_connect_timeout=min(_CONNECT_TIMEOUT_S, read_timeout_s),
            health_check_interval=0,
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
        )
    except ValueError:
        # Python's own message may quote half of a password.
        raise ConfigError(
            "REDIS_URL: must be like redis://:password@host:6379/0;"
            " write special characters of the password as %XX"
        ) from None


def _translated(call: Callable[P, T]) -> Callable[P, T]:
    @wraps(call)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except (redis.RedisError, OSError) as error:
            raise QueueUnavailable(f"Redis does not answer: {error}", retry_after_s=2.0) from error

    return translated


class RedisQueue:
    """``JobSender``, ``JobReceiver`` and ``JobMonitor`` on one Redis. Thread-safe.

    Args:
        client: from ``connect``.
        visibility_s: how long a received job stays invisible unless it is extended.
        max_receives: deliveries after which a job is dead.
        name: key of the list of visible jobs; all other keys share its hash slot.
        clock: milliseconds instead of the server's time, for tests that move it.
        new_id: names jobs; not random only in tests that repeat themselves.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        visibility_s: float = 30.0,
        max_receives: int = 5,
        name: str = QUEUE_NAME,
        clock: Callable[[], int] | None = None,
        new_id: Callable[[], object] = uuid4,
    ) -> None:
        self._redis = client
        self._visibility_ms = int(visibility_s * 1000)
        self._max_receives = max_receives
        self._clock = clock
        self._new_id = new_id
        tag = f"{{{name}}}"
        self._prefix = f"{tag}:job:"
        self._keys = [name, f"{tag}:inflight", f"{tag}:delayed", f"{tag}:dead", f"{tag}:wake"]
        self._wake = self._keys[-1]
        source = files("photogate.adapters").joinpath("queue_redis.lua")
        self._script = client.register_script(source.read_text(encoding="utf-8"))

    @_translated
    def send(self, body: str, *, delay_s: float = 0.0) -> str:
        """See ``photogate.ports.queue.JobSender.send``."""
        return str(self._run("send", str(self._new_id()), body, int(delay_s * 1000)))

    @_translated
    def receive(self, *, wait_s: float) -> Delivery | None:
        """See ``photogate.ports.queue.JobReceiver.receive``."""
        deadline = time.monotonic() + wait_s
        while True:
            found = self._run("receive", self._visibility_ms)
            if found:
                job_id, token, body, receives, sent_ms = found
                return Delivery(
                    job_id=job_id,
                    token=token,
                    body=body,
                    receive_count=int(receives),
                    sent_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC),
                )
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            # Redis takes 0 for "for ever".
            self._redis.blpop([self._wake], timeout=max(0.01, min(_BLOCK_S, left_s)))

    @_translated
    def extend(self, delivery: Delivery, *, visibility_s: float) -> bool:
        """See ``photogate.ports.queue.JobReceiver.extend``."""
        return bool(self._run("extend", delivery.job_id, delivery.token, int(visibility_s * 1000)))

    @_translated
    def ack(self, delivery: Delivery) -> bool:
        """See ``photogate.ports.queue.JobReceiver.ack``."""
        return bool(self._run("ack", delivery.job_id, delivery.token))

    @_translated
    def nack(self, delivery: Delivery, *, delay_s: float, error: str) -> bool:
        """See ``photogate.ports.queue.JobReceiver.nack``."""
        return bool(self._run("nack", delivery.job_id, delivery.token, int(delay_s * 1000), error))

    @_translated
    def stats(self) -> QueueStats:
        """See ``photogate.ports.queue.JobMonitor.stats``."""
        visible, in_flight, delayed, dead = self._run("stats")
        return QueueStats(visible=visible, in_flight=in_flight, delayed=delayed, dead=dead)

    @_translated
    def dead(self, *, limit: int) -> list[DeadJob]:
        """See ``photogate.ports.queue.JobMonitor.dead``."""
        return [
            DeadJob(job_id=job_id, body=body, receive_count=int(receives), last_error=error)
            for job_id, body, receives, error in self._run("dead", limit)
        ]

    @_translated
    def redrive(self, *, limit: int) -> int:
        """See ``photogate.ports.queue.JobMonitor.redrive``."""
        return int(self._run("redrive", limit))

    @_translated
    def purge(self, *, dead: bool) -> int:
        """See ``photogate.ports.queue.JobMonitor.purge``."""
        purged = 0
        while some := int(self._run("purge", "dead" if dead else "waiting", PURGED_AT_ONCE)):
            purged += some
        return purged

    @_translated
    def check(self) -> dict[str, Any]:
        """Answer a health probe; says what an operator should know about durability."""
        info: dict[str, Any] = self._redis.info()
        return {
            "version": info["redis_version"],
            "append_only": bool(info.get("aof_enabled")),
            "eviction": info.get("maxmemory_policy"),
        }

    def close(self) -> None:
        """Close the connections; the queue may be used again."""
        self._redis.close()

    def _run(self, operation: str, *arguments: str | int) -> Any:
        now_ms = "" if self._clock is None else self._clock()
        return self._script(
            keys=self._keys,
            args=[operation, self._prefix, self._max_receives, now_ms, *arguments],
        )

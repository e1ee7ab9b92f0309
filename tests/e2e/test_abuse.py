"""The local API while clients are slow and greedy: it answers others, and cuts these off."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from bench import attacks
from local.client import Upload
from local.servers.http import MOST_OF_ONE, limited_per_client
from tests.e2e.running import RunningStack
from tests.servers import eventually

CLIENTS = 200


@contextmanager
def under(attack: attacks.Attack, url: str) -> Iterator[Counter[str]]:
    """Attack from 200 connections; gives what was answered so far."""
    answers: Counter[str] = Counter()
    loop = asyncio.new_event_loop()
    until = asyncio.Event()
    failed: list[BaseException] = []

    def run() -> None:
        attacking = attacks.attack_with(
            attack, url, connections=CLIENTS, until=until, answers=answers
        )
        try:
            loop.run_until_complete(attacking)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: failed or answers["connections"] >= CLIENTS, within_s=60)
        yield answers
    finally:
        loop.call_soon_threadsafe(until.set)
        thread.join(30)
        loop.close()
    assert not failed


#: Attack -> the answer by which it is cut off; None: the connection ends.
ATTACKS: dict[str, tuple[Callable[[str], attacks.Attack], str | None]] = {
    "clients that say nothing": (lambda _: attacks.silent(), "408"),
    "heads that never end": (lambda _: attacks.half_head(), "408"),
    "slow JSON": (lambda _: attacks.slow_json(), "408"),
    "slow uploads": (attacks.slow_put, "408"),
    "large heads": (lambda _: attacks.large_head(), None),
    "deep JSON": (lambda _: attacks.deep_json(), "400"),
}


# Each attack lasts until the server's own limit of time cuts it off.
@pytest.mark.slow
def test_others_are_answered_while_clients_are_slow_and_greedy(
    shared_stack: RunningStack, portrait: bytes
) -> None:
    slow = shared_stack.client("slow")
    upload_url = slow.call("GET", "/users/media/upload-url")["upload_url"]
    for name, (make, cut_off) in ATTACKS.items():
        with under(make(upload_url), shared_stack.url) as answers:
            is_served(shared_stack, name, portrait)
            eventually(partial(answers_until, shared_stack, answers, cut_off), within_s=120)
        assert answers["no connection"] == 0, name
        assert not [said for said in answers if said.startswith("5")], (name, answers)
    slow.close()


def is_served(stack: RunningStack, user: str, photo: bytes) -> None:
    """Upload a photo as another user, and see it approved."""
    client = stack.client(user)
    client.complete([client.put(Upload(name="x", data=photo))])
    eventually(lambda: client.photos()[0]["moderation_status"] == "approved", within_s=60)
    client.close()


def answers_until(stack: RunningStack, answers: Counter[str], cut_off: str | None) -> bool:
    """See that health answers, and tell whether the attack was cut off."""
    health = requests.get(f"{stack.url}/api/v1/health", timeout=30)
    assert health.json()["status"] == "ok"
    ended = sum(answers.values()) - answers["connections"]
    return answers[cut_off] > 0 if cut_off else ended > CLIENTS


def test_one_users_uploads_are_limited_and_each_is_stored_once(shared_stack: RunningStack) -> None:
    slow, where = shared_stack.client("many"), urlsplit(shared_stack.url)
    urls = [urlsplit(slow.call("GET", "/users/media/upload-url")["upload_url"]) for _ in range(17)]
    with ExitStack() as opened:
        for url in urls[:16]:
            connection = opened.enter_context(
                socket.create_connection((where.hostname, where.port))
            )
            connection.sendall(_put(url.path, url.query, length=2) + b"a")
        parts = shared_stack.home / "photos"
        eventually(lambda: len(list(parts.glob(".part-*"))) == 16)
        answer = requests.put(
            f"{shared_stack.url}{urls[16].path}?{urls[16].query}",
            data=b"x",
            headers={"Content-Type": "image/jpeg"},
            timeout=30,
        )
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    eventually(lambda: not list(parts.glob(".part-*")))
    slow.close()


@pytest.mark.slow
def test_a_forwarded_address_counts_from_trusted_proxies_alone(
    start: Callable[..., RunningStack],
) -> None:
    stack = start(
        TRUSTED_PROXIES="127.0.0.2", OPEN_UPLOADS="1000", OPEN_UPLOAD_BYTES="100000000000"
    )
    forwarded = "198.51.100.1, 203.0.113.9"
    assert _client_in_log(stack, source="127.0.0.1", forwarded=forwarded) == "127.0.0.1"
    assert _client_in_log(stack, source="127.0.0.3", forwarded="127.0.0.2") == "127.0.0.3"
    assert _client_in_log(stack, source="127.0.0.2", forwarded=forwarded) == "203.0.113.9"
    assert _client_in_log(stack, source="127.0.0.2", forwarded="") == "127.0.0.2"
    # One address may have so many connections; a proxy, which has many clients, more.
    where = urlsplit(stack.url)
    with ExitStack() as opened:
        for source in ("127.0.0.3", "127.0.0.2"):
            for _ in range(MOST_OF_ONE):
                connection = socket.create_connection(
                    (where.hostname, where.port), source_address=(source, 0)
                )
                opened.enter_context(connection)
        assert _ask(stack, source="127.0.0.3").status == 429
        assert _ask(stack, source="127.0.0.2").status == 200
        assert _ask(stack, source="127.0.0.1").status == 200


@pytest.mark.parametrize("host", ["198.51.100.1", "::1"])
def test_one_client_has_a_share_of_the_requests(host: str) -> None:
    release = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()

    async def run() -> None:
        limited = limited_per_client(slow)
        said: list[int] = []

        async def send(message: Any) -> None:
            if "status" in message:
                said.append(message["status"])

        def ask(client: str) -> asyncio.Task[None]:
            scope = {"type": "http", "client": (client, 0)}
            return asyncio.ensure_future(limited(scope, None, send))  # type: ignore[arg-type]

        waiting = [ask(host) for _ in range(MOST_OF_ONE)]
        await asyncio.sleep(0)
        await ask(host)
        assert said == [429]
        other = ask("203.0.113.9")
        await asyncio.sleep(0)
        assert not other.done()
        release.set()
        await asyncio.gather(*waiting, other)
        await ask(host)
        assert said == [429]

    # In a thread of its own: the browser of other tests has a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()


def test_a_head_of_32_kb_is_too_large(shared_stack: RunningStack) -> None:
    for size, status in ((30_000, 200), (40_000, 431), (400_000, 431)):
        answer = requests.get(
            f"{shared_stack.url}/api/v1/health", headers={"X-Large": "a" * size}, timeout=30
        )
        assert answer.status_code == status, size


def _put(path: str, query: str, *, length: int) -> bytes:
    return (
        f"PUT {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def _ask(stack: RunningStack, *, source: str, **headers: str) -> http.client.HTTPResponse:
    where = urlsplit(stack.url)
    assert where.hostname
    connection = http.client.HTTPConnection(
        where.hostname, where.port, timeout=30, source_address=(source, 0)
    )
    connection.request("GET", "/api/v1/health", headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def _client_in_log(stack: RunningStack, *, source: str, forwarded: str) -> str:
    headers = {"X-Forwarded-For": forwarded}
    correlation = _ask(stack, source=source, **headers).headers["X-Correlation-Id"]
    log = stack.home / "logs" / "api.log"

    def events() -> list[dict[str, Any]]:
        lines = [line for line in log.read_text().splitlines() if correlation in line]
        return [json.loads(line) for line in lines]

    eventually(lambda: events())
    return str(events()[0]["client"])

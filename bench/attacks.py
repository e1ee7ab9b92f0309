"""Slow and greedy clients, to see what else goes on meanwhile. Loopback only."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

#: Between two bytes of a slow client, in seconds.
_DRIP_S = 0.5
_BIG_HEAD_BYTES = 96_000_000

Attack = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


def half_head() -> Attack:
    """Begin a head and never end it."""
    return _begun(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ")


def silent() -> Attack:
    """Connect and say nothing."""
    return _begun(b"", drip=b"")


def slow_json() -> Attack:
    """Announce a JSON body and send it byte by byte, without a token."""
    return _begun(
        b"POST /api/v1/users/media/upload-complete HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
    )


def slow_put(upload_url: str, content_type: str = "image/jpeg") -> Attack:
    """Send a photo byte by byte to a signed URL."""
    url = urlsplit(upload_url)
    return _begun(
        f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: 1000000\r\n\r\n".encode()
    )


def large_head() -> Attack:
    """Send one header of 96 MB as fast as it is taken."""

    async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Large: ")
        for _ in range(_BIG_HEAD_BYTES // 1_000_000):
            writer.write(b"a" * 1_000_000)
            await writer.drain()
        return await reader.readline()

    return attack


def deep_json() -> Attack:
    """Send JSON that is nested 60,000 deep."""
    body = b"[" * 60_000
    head = (
        b"POST /api/v1/users/media/upload-complete HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )

    async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(head + body)
        await writer.drain()
        return await reader.readline()

    return attack


async def attack_with(
    attack: Attack,
    url: str,
    *,
    connections: int,
    until: asyncio.Event,
    answers: Counter[str],
) -> None:
    """Keep so many clients at it; each that is cut off begins anew. Counts the answers."""
    where = urlsplit(url)

    async def client() -> None:
        while not until.is_set():
            try:
                reader, writer = await asyncio.open_connection(where.hostname, where.port)
            except OSError:
                answers["no connection"] += 1
                await asyncio.sleep(_DRIP_S)
                continue
            answers["connections"] += 1
            said = b""
            try:
                said = await attack(reader, writer)
            except OSError:
                pass
            finally:
                writer.transport.abort()
            answers[said.decode("latin-1")[9:12] or "cut off"] += 1

    clients = [asyncio.create_task(client()) for _ in range(connections)]
    await until.wait()
    for task in clients:
        task.cancel()
    for ended in await asyncio.gather(*clients, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _begun(head: bytes, drip: bytes = b"a") -> Attack:
    """Send ``head``, then ``drip`` twice a second until the server ends it."""

    async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(head)
        answer = asyncio.create_task(reader.readline())
        try:
            while not answer.done():
                writer.write(drip)
                await asyncio.wait({answer}, timeout=_DRIP_S)
            return answer.result()
        finally:
            answer.cancel()

    return attack

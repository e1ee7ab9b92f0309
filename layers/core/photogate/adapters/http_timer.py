"""Bounds a whole exchange over HTTP by one timer, wherever it is.

A timeout of a socket, of urllib3 or of requests begins anew with every byte. Here a timer ends the
connection: in the TLS handshake, the head or the body.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer

from urllib3.connection import HTTPConnection


@contextmanager
def ended(connection: HTTPConnection, *, after_s: float) -> Iterator[None]:
    """End the connection when the block takes longer, which then raises TimeoutError."""
    # Once an answer says that it is the last, only its reader holds the socket.
    opened = connection.sock

    def end() -> None:
        # The other end may have closed it, or it is not open yet. Not SSLSocket.shutdown,
        # after which the socket would go on without TLS.
        with suppress(OSError, TypeError):
            socket.socket.shutdown(opened or connection.sock, socket.SHUT_RDWR)

    ends = time.monotonic() + after_s
    timer = Timer(after_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if time.monotonic() < ends:
            raise
    finally:
        timer.cancel()
    # Also without an error: cut off between two headers, an answer may look complete.
    if time.monotonic() >= ends:
        raise TimeoutError(f"not within {after_s:g} s")

"""What a sandbox runs in the tests instead of the decoder: what a hostile photo may do.

Each has the signature of ``decoding.decode.decode``; the bytes say what to do.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from PIL import Image

from photogate.errors import PhotoRefused, RetryableError
from photogate_vision.decoding.decode import Picture, decode
from tests.model.attempts import attempt_all


def obey(data: bytes) -> list[Picture]:
    """Do what the first word says; a photo is decoded."""
    if not data.startswith(b"do "):
        return decode(data)
    word, _, rest = data[3:].decode().partition(" ")
    match word:
        case "crash":
            ctypes.string_at(0)
        case "crash-as":
            if os.getpid() == int(rest):
                ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "sleep-as":
            if os.getpid() == int(rest):
                time.sleep(3600)
        case "allocate":
            held = [bytearray(50_000_000) for _ in range(1_000)]
            return _tell(len(held))
        case "fault":
            raise RetryableError("a fault of ours")
        case "print":
            print('{"pictures": []}', flush=True)  # noqa: T201 - libraries do
            return _red()
        case "lie":
            for fd in range(3, 16):
                with suppress(OSError):
                    os.write(fd, f"{rest}\n".encode())
        case "drip":
            # As a photo could that took over its decoder: no kernel's timer, and for 20 s a byte
            # now and then, on the way back.
            signal.setitimer(signal.ITIMER_REAL, 0)
            for _ in range(200):
                for fd in range(3, 16):
                    with suppress(OSError):
                        os.write(fd, b" ")
                time.sleep(0.1)
        case "environment":
            _tell(dict(os.environ))
        case "files":
            _tell([number for number in range(256) if _is_open(number)])
        case "limits":
            kinds = ("CORE", "FSIZE", "NOFILE", "DATA")
            _tell({k: resource.getrlimit(getattr(resource, f"RLIMIT_{k}")) for k in kinds})
        case "pid":
            _tell(os.getpid())
        case "write":
            Path(rest).write_bytes(b"x")
        case "attempt":
            _tell(attempt_all(**json.loads(rest)))
        case "import":
            import_module(rest)
    return _red()


def _is_open(number: int) -> bool:
    with suppress(OSError):
        fcntl.fcntl(number, fcntl.F_GETFD)
        return True
    return False


def show(data: bytes, longer_side_px: int) -> list[Picture]:
    """Die of any photo that is to be shown."""
    ctypes.string_at(0)
    return []


def sleep(data: bytes, longer_side_px: int) -> list[Picture]:
    """Never answer."""
    time.sleep(3600)
    return []


def _tell(what: object) -> NoReturn:
    """Send something out by the only way there is."""
    raise PhotoRefused(json.dumps(what), reason="unreadable")


def _red() -> list[Picture]:
    image = Image.new("RGB", (4, 3), "red")
    return [Picture(image=image, width=4, height=3, format="PNG", frames=1)]

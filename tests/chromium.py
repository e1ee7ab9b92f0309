"""The machine's own Chromium, that reaches nothing but this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from photogate.errors import ConfigError

#: A name that is not the machine's own: pages treat ``localhost`` differently.
HOST = "photogate.example"

_SWITCHES = (
    "--no-sandbox",  # which does not start as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1,"
    " EXCLUDE localhost",
)


def program() -> str:
    """Give its path."""
    if (found := shutil.which("chromium")) is None:
        raise ConfigError("there is none on the PATH (Debian: apt-get install chromium)")
    return found


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Start it; once in a process, for playwright refuses to begin twice."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_SWITCHES))
        yield browser
        browser.close()

"""A real browser, the machine's own Chromium, that reaches nothing but this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from photogate.errors import ConfigError
from tests.conftest import _needed

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
    f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND",
)


def _chromium() -> str:
    if (found := shutil.which("chromium")) is None:
        raise ConfigError("there is none on the PATH (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser that knows no other host than ``HOST``."""
    program = _needed(_chromium, "Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_SWITCHES))
        yield browser
        browser.close()

"""The shipped Caddyfile in front of a running stack, with a certificate of Caddy's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from local.home import free_port
from local.process import start_server, stop
from tests.docs import ROOT
from tests.e2e.running import RunningStack
from tests.servers import eventually

CADDYFILE = ROOT / "local" / "caddy" / "Caddyfile"


@pytest.fixture
def caddy() -> str:
    found = shutil.which("caddy")
    if found is None:
        pytest.skip("there is no caddy here (Debian: caddy)")
    return found


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    """Caddy's folders are the test's own; what it would listen on by itself is free."""
    folders = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    return os.environ | folders | {"CADDY_HTTP_PORT": str(free_port())} | settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"SITE_ADDRESS": "http://localhost", "SITE_TLS": ""},
        {"SITE_ADDRESS": "photos.example.org", "SITE_TLS": ""},
        {"SITE_ADDRESS": "photos.internal", "SITE_TLS": "tls internal"},
    ],
)
def test_caddy_takes_it(caddy: str, tmp_path: Path, settings: dict[str, str]) -> None:
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", CADDYFILE],
        env=environment(tmp_path, **settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class Front:
    """Caddy before a stack, and what is needed to speak to it."""

    def __init__(self, url: str, certificates: Path) -> None:
        self.url, self.certificates = url, certificates

    def get(self, path: str, **headers: str) -> requests.Response:
        answer: requests.Response = requests.get(
            f"{self.url}{path}", headers=headers, verify=str(self.certificates), timeout=10
        )
        return answer


@pytest.fixture
def front(
    caddy: str, tmp_path: Path, start: Callable[..., RunningStack], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Front, RunningStack]]:
    port = free_port()
    url = f"https://localhost:{port}"
    stack = start(
        PUBLIC_URL=url,
        TRUSTED_PROXIES="127.0.0.1",
        METRICS_TOKEN="0123456789abcdef-only-for-metrics",
    )
    settings = {
        "SITE_ADDRESS": url,
        "SITE_TLS": "tls internal",
        "API_ADDRESS": stack.url.removeprefix("http://"),
    }
    for name, value in environment(tmp_path, **settings).items():
        monkeypatch.setenv(name, value)
    log = tmp_path / "caddy.log"
    running = start_server([caddy, "run", "--adapter", "caddyfile", "--config", CADDYFILE], log=log)
    certificates = tmp_path / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    made = Front(url, certificates)

    def answers() -> bool:
        """Its certificate comes a moment after it listens."""
        assert running.poll() is None, log.read_text()
        try:
            return certificates.exists() and made.get("/api/v1/health").ok
        except requests.ConnectionError:
            return False

    try:
        eventually(answers, within_s=30)
        yield made, stack
    finally:
        stop(running)


@pytest.mark.slow
def test_photos_go_through_it_and_metrics_do_not(front: tuple[Front, RunningStack]) -> None:
    caddy, stack = front
    assert caddy.get("/api/v1/health").json()["status"] == "ok"
    assert requests.get(f"{stack.url}/metrics", timeout=10).status_code == 401
    assert caddy.get("/metrics").status_code == 404
    # Upload URLs lead through it as well: photos, verdicts and copies.
    said = stack.run("smoke", "2", "--url", caddy.url, REQUESTS_CA_BUNDLE=str(caddy.certificates))
    assert "2 photos; all verdicts" in said

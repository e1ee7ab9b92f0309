"""The shipped Prometheus configuration on a running stack; rules and dashboard on its metrics."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.home import free_port
from local.process import start_server, stop
from tests.docs import ROOT
from tests.e2e.running import RunningStack
from tests.servers import eventually
from tests.unit.test_compose import SERVICES

FOLDER = ROOT / "local" / "monitoring"
TOKEN = "0123456789abcdef-only-for-metrics"
PANELS = json.loads((FOLDER / "grafana" / "photogate.json").read_text())["panels"]
#: Told once there is something to tell.
LATER = {"photogate_rejected_last_day", "photogate_sweep_age_seconds"}


def of_debian(program: str) -> str:
    if (found := shutil.which(program)) is None:
        pytest.skip(f"there is no {program} here (Debian: prometheus)")
    return found


def for_this_machine(tmp_path: Path, target: str) -> Path:
    """The shipped files, but for the API's address and the file of the token."""
    folder = tmp_path / "monitoring"
    shutil.copytree(FOLDER, folder)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    file = folder / "prometheus.yml"
    text = file.read_text()
    assert text.count("api:8000") == text.count("/tmp/metrics-token") == 1  # noqa: S108
    file.write_text(text.replace("api:8000", target).replace("/tmp/metrics-token", str(token)))  # noqa: S108
    return file


def test_the_container_gets_its_token_where_the_file_looks_for_it() -> None:
    command = SERVICES["prometheus"]["command"][-1]
    assert "> /tmp/metrics-token" in command
    assert "--config.file=/etc/photogate/prometheus.yml" in command
    assert SERVICES["prometheus"]["volumes"][0] == "./monitoring:/etc/photogate:ro"


def test_promtool_takes_it(tmp_path: Path) -> None:
    file = for_this_machine(tmp_path, "127.0.0.1:8000")
    done = subprocess.run(
        [of_debian("promtool"), "check", "config", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class Prometheus:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=10)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        return [float(r["value"][1]) for r in self.ask("query", query=expression)["result"]]


@pytest.fixture
def prometheus(
    tmp_path: Path, start: Callable[..., RunningStack]
) -> Iterator[tuple[Prometheus, RunningStack]]:
    program = of_debian("prometheus")
    stack = start(METRICS_TOKEN=TOKEN, SWEEP_INTERVAL_S="1")
    file = for_this_machine(tmp_path, stack.url.removeprefix("http://"))
    port, log = free_port(), tmp_path / "prometheus.log"
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={tmp_path / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    running = start_server(command, log=log)

    def ready() -> bool:
        assert running.poll() is None, log.read_text()
        try:
            return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        eventually(ready, within_s=30)
        yield Prometheus(f"http://127.0.0.1:{port}"), stack
    finally:
        stop(running)


@pytest.mark.slow
def test_it_scrapes_and_its_rules_and_panels_find_their_metrics(
    prometheus: tuple[Prometheus, RunningStack],
) -> None:
    running, stack = prometheus
    stack.run("smoke", "2")
    eventually(
        lambda: (
            running.values("photogate_workers") == [2]
            and sum(running.values("photogate_photos_last_day")) == 2
        )
    )
    assert running.values('up{job="photogate"}') == [1]
    known = set(running.ask("label/__name__/values")) | LATER
    # An expression that is wrong is refused here.
    for panel in PANELS:
        for target in panel["targets"]:
            running.values(target["expr"])
            assert set(re.findall(r"\bphotogate_\w+", target["expr"])) <= known
    eventually(lambda: all(r["health"] == "ok" for r in rules(running)))
    for rule in rules(running):
        assert set(re.findall(r"\bphotogate_\w+", rule["query"])) <= known
    assert [r["name"] for r in rules(running) if r["state"] == "firing"] == []


def rules(running: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in running.ask("rules")["groups"] for rule in group["rules"]]


class TestDashboard:
    def test_panels_do_not_overlap(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in PANELS:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells
        assert len({panel["id"] for panel in PANELS}) == len(PANELS)

    def test_it_asks_the_source_that_is_provisioned(self) -> None:
        provisioned = FOLDER / "grafana" / "provisioning"
        source = (provisioned / "datasources" / "prometheus.yml").read_text()
        (uid,) = re.findall(r"uid: (\w+)", source)
        assert {panel["datasource"]["uid"] for panel in PANELS} == {uid}
        assert re.findall(r"url: http://(\w+):9090", source) == ["prometheus"]
        mounts = SERVICES["grafana"]["volumes"]
        (folder,) = re.findall(
            r"path: (\S+)", (provisioned / "dashboards" / "photogate.yml").read_text()
        )
        assert f"./monitoring/grafana:{folder}:ro" in mounts
        for mount in mounts[:2]:
            assert os.path.exists(ROOT / "local" / mount.split(":")[0])  # noqa: PTH110

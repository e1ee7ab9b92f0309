"""``GET /metrics`` of a running stack, and the rules that go by it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from tests.docs import ROOT, block
from tests.e2e.running import RunningStack, clean_environment
from tests.servers import eventually

TOKEN = "0123456789abcdef-only-for-metrics"
RULES = ROOT / "local" / "monitoring" / "alerts.yml"


@pytest.mark.slow
def test_watch_and_metrics(start: Callable[..., RunningStack]) -> None:
    stack = start(METRICS_TOKEN=TOKEN)
    assert "5 photos" in stack.run("smoke", "5")
    url = f"{stack.url}/metrics"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}x"}):
        assert requests.get(url, headers=headers, timeout=10).status_code == 401
    answer = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert answer.headers["content-type"].startswith("text/plain")
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert told["photogate_part_up", "database"] == told["photogate_part_up", "workers"] == 1
    assert told["photogate_workers",] == 2
    assert told["photogate_queue_jobs", "dead"] == told["photogate_pending_photos",] == 0
    assert "✓ workers" in stack.run("watch", "--once")
    # Five photos, and a worker that did one: workers announce that now and then.
    eventually(lambda: stack.run("watch", "--once").count(" ago") >= 5 + 1)
    verdicts = [n for (name, *_), n in told.items() if name == "photogate_photos_last_day"]
    assert sum(verdicts) == 5
    assert told["photogate_database_bytes",] > 1e6
    assert told["photogate_photos_free_bytes",] > 0

    # Each rule and the page name metrics that are told, or would be once there is something.
    later = {"photogate_sweep_age_seconds", "photogate_rejected_last_day"}
    names = {name for name, *_ in told} | later
    for text in (RULES.read_text(), *_named(ROOT / "docs" / "operate.md")):
        assert set(re.findall(r"\bphotogate_\w+", text)) <= names


def _named(page: Path) -> list[str]:
    """Give the names in the page's table."""
    table = page.read_text().partition("after `photogate_`")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [f"photogate_{name}" for cell in cells for name in re.findall(r"`(\w+)", cell)]


@pytest.mark.slow
def test_the_pages_commands(start: Callable[..., RunningStack]) -> None:
    """Each as it stands there, but for the port."""
    export, up, curl = block("docs/operate.md", holding="METRICS_TOKEN").commands
    made = subprocess.run(
        ["bash", "-euc", f"{export}; echo $METRICS_TOKEN"],
        capture_output=True,
        text=True,
        check=True,
    )
    token = made.stdout.strip()
    assert up.startswith(".venv/bin/photogate up")
    stack = start(METRICS_TOKEN=token)
    done = subprocess.run(
        ["bash", "-euc", curl.replace("http://127.0.0.1:8000", f"--silent {stack.url}")],
        env={**clean_environment(), "METRICS_TOKEN": token},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'photogate_part_up{part="database"} 1.0\n' in done.stdout


def test_without_a_token_nothing_is_told(shared_stack: RunningStack) -> None:
    assert requests.get(f"{shared_stack.url}/metrics", timeout=10).status_code == 404


def test_each_alert_has_a_line_on_the_page() -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    page = (ROOT / "docs" / "operate.md").read_text()
    assert {rule["alert"] for rule in rules} == set(re.findall(r"^\| `(Photogate\w+)`", page, re.M))
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("there is no promtool here (Debian: prometheus)")
    done = subprocess.run(
        [promtool, "check", "rules", RULES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

"""``photogate evaluate``, as it is typed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from local.samples import jpeg, photograph
from tests.e2e.running import PHOTOGATE, clean_environment
from tests.servers import eventually

#: Harmless photographs, some of which a machine finds blurred.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "brick.png", "color.png")
COUNT = 1000
COMMAND = (PHOTOGATE, "evaluate", "--policy", "community")


def environment(home: Path) -> dict[str, str]:
    return {**clean_environment(), "PHOTOGATE_HOME": str(home)}


def run(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment(home),
    )


def crops(folder: Path, count: int) -> Path:
    """Write harmless crops and a CSV that labels them at random; gives the CSV."""
    draw = np.random.default_rng(5)
    photos = [photograph(name) for name in PHOTOGRAPHS]
    rows = []
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(draw.integers(200, 260))
        x, y = (int(draw.integers(0, edge - side + 1)) for edge in photo.size)
        name = f"{number}.jpg"
        crop = photo.crop((x, y, x + side, y + side))
        if number % 4 == 3:
            crop = crop.resize((40, 40)).resize((side, side), Image.Resampling.BILINEAR)
        (folder / name).write_bytes(jpeg(crop))
        rows.append((name, ("approve", "reject", "pets")[int(draw.integers(3))]))
    source = folder / "labels.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *rows])
    return source


def counted_plainly(source: Path) -> dict[str, dict[str, int]]:
    """Count by label from what ``photogate check --json`` prints of each file."""
    with source.open(newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    files = [str(source.parent / name) for name in labels]
    done = subprocess.run(
        [PHOTOGATE, "check", "--policy", "community", "--json", *files],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env=clean_environment(),
    )
    found: dict[str, Counter[str]] = {}
    for line in done.stdout.splitlines():
        one = json.loads(line)
        found.setdefault(labels[Path(one["file"]).name], Counter())[one["status"]] += 1
    return {label: dict(count) for label, count in found.items()}


def counts(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Give the same from ``photogate evaluate --json``."""
    names = {"approved": "approved", "to_people": "review", "rejected": "rejected"}
    return {
        label: {
            status: found[name]["hits"] for name, status in names.items() if found[name]["hits"]
        }
        for label, found in document["runs"][0]["labels"].items()
    }


@pytest.mark.slow
def test_figures_are_those_of_a_plain_script_and_of_a_run_that_was_killed(
    tmp_path: Path, bundle: Path, second_bundle: Path
) -> None:
    source = crops(tmp_path, COUNT)
    arguments = (source, "--expect", "pets=either", "--json")
    begun = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(tmp_path / "home"),
        start_new_session=True,
    )
    kept = tmp_path / "home" / "evaluations"
    eventually(
        lambda: sum(len(f.read_bytes().splitlines()) for f in kept.glob("*.jsonl")) > COUNT / 4,
        within_s=120,
    )
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    resumed = run(tmp_path / "home", *arguments)
    assert resumed.returncode == 0, resumed.stderr
    document = json.loads(resumed.stdout)
    plain = counted_plainly(source)
    assert counts(document) == plain
    run_of = document["runs"][0]
    should = sum(plain["reject"].values())
    assert run_of["recall"]["hits"] == should - plain["reject"].get("approved", 0)
    assert run_of["false_alarms"]["hits"] == plain["approve"].get("rejected", 0)
    whole = run(tmp_path / "other home", *arguments)
    assert json.loads(whole.stdout) == document


@pytest.mark.slow
def test_two_policies_and_a_page(
    tmp_path: Path, bundle: Path, second_bundle: Path, browser: Browser
) -> None:
    source = crops(tmp_path, 12)
    with source.open(newline="") as file:
        for row in csv.DictReader(file):
            (tmp_path / "set" / row["label"]).mkdir(parents=True, exist_ok=True)
            (tmp_path / row["file"]).rename(tmp_path / "set" / row["label"] / row["file"])
    (tmp_path / "set" / "reject" / "broken<b>.jpg").write_bytes(b"no picture")
    (tmp_path / "set" / "odd").mkdir()
    (tmp_path / "set" / "odd" / "one.jpg").write_bytes(b"")
    lax = tmp_path / "lax.yaml"
    lax.write_text(
        "name: lax\nversion: 1\nrequired: [blur_variance]\nrules:\n"
        "  - measure: blur_variance\n    reason: blurry\n    review_below: 1\n"
    )
    page = tmp_path / "page.html"
    arguments = (tmp_path / "set", "--expect", "pets=either", "--policy", str(lax))
    done = run(tmp_path / "home", *arguments, "--html", page)
    assert done.returncode == 2, done.stderr
    assert "reject/broken<b>.jpg: not one of JPEG" in done.stderr
    assert "odd/one.jpg: the label 'odd' does not say what should happen" in done.stderr
    assert "2 pictures were left out" in done.stdout
    assert "community@4" in done.stdout
    assert "lax@1" in done.stdout
    assert "verdicts differ" in done.stdout

    asked: list[str] = []
    said: list[str] = []
    for width, scheme in ((360, "dark"), (1440, "light")):
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
            offline=True,
        )
        shown = context.new_page()
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("console", lambda message: said.append(message.text))
        shown.goto(page.as_uri())
        assert shown.locator("svg").count() > 8
        assert shown.locator("section").count() == 4
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert shown.locator("b").count() == 0
        context.close()
    assert (said, set(asked)) == ([], {page.as_uri()})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone",), "gone: there is no such folder or CSV"),
        ((".", "--expect", "cats"), "--expect cats: write LABEL=approve"),
        ((".", "--policy", "a", "--policy", "b"), "two are compared at a time"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "approve").mkdir()
    (tmp_path / "approve" / "a.jpg").write_bytes(b"x")
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1

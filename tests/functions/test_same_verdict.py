"""The same photos get the same verdicts and scores, whichever way they travel."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.client import PhotogateClient, Upload
from local.lambda_runtime import run_function
from local.samples import jpeg, photograph, sample_photos
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Role
from tests.e2e.running import PHOTOGATE
from tests.functions.conftest import Installation
from tests.functions.test_lambda import batches, job
from tests.functions.test_moderate import event

#: What differs between two runs by its nature.
TIMES = {"processing_time_ms"}


@pytest.fixture(scope="module")
def golden() -> list[Upload]:
    """The demo's photos and some more, two formats among them."""
    coffee, rocket = photograph("coffee.png"), photograph("rocket.jpg")
    more = [
        Upload(name="coffee.jpg", data=jpeg(coffee)),
        Upload(name="rocket.jpg", data=jpeg(rocket, quality=60)),
        Upload(name="not-a-photo.jpg", data=b"%PDF-1.7"),
    ]
    return [*sample_photos(), *more]


@pytest.fixture(autouse=True)
def profile(faces_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All run the preset of the embedded stack."""
    monkeypatch.setenv("POLICY", "profile")
    monkeypatch.setenv("FACES_DIR", str(faces_bundle))


@pytest.fixture
def expected(golden: list[Upload], tmp_path: Path, bundle: Path) -> dict[str, dict[str, Any]]:
    """What ``photogate check --json`` says."""
    paths = []
    for upload in golden:
        paths.append(tmp_path / upload.name)
        paths[-1].write_bytes(upload.data)
    done = subprocess.run(
        [PHOTOGATE, "check", "--json", *paths], capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        Path(s["file"]).name: _without_times(s["status"], s["reason"], s["scores"]) for s in said
    }


def test_through_the_local_worker(
    installation: Installation,
    deliver: Callable[[], list[str]],
    golden: list[Upload],
    expected: dict[str, dict[str, Any]],
) -> None:
    names = hand_in(installation.client(), golden)
    deliver()
    assert verdicts(installation, names) == expected


def test_through_s3_and_sqs(
    on_aws: Installation,
    deliver: Callable[[], list[str]],
    golden: list[Upload],
    expected: dict[str, dict[str, Any]],
) -> None:
    names = hand_in(on_aws.client(), golden)
    assert len(deliver()) == 1
    assert verdicts(on_aws, names) == expected
    (photo, *_) = on_aws.client().photos()
    on_aws.client().call("DELETE", f"/users/media/{photo['id']}")


def test_through_the_runtime_interface_client(
    on_aws: Installation,
    golden: list[Upload],
    expected: dict[str, dict[str, Any]],
    pool: Pool,
    tmp_path: Path,
) -> None:
    pytest.importorskip("awslambdaric", reason="it has wheels for Linux only")
    names = hand_in(on_aws.client(), golden)
    handler = "functions.moderate.app.handler"
    with run_function(handler, dict(os.environ), log=tmp_path / "log") as moderate:
        answer = moderate.invoke(event(*(job(batch) for batch in batches(pool))))
    assert answer == {"batchItemFailures": []}
    assert verdicts(on_aws, names) == expected


def hand_in(client: PhotogateClient, uploads: list[Upload]) -> dict[str, str]:
    """Upload and complete; give each key's file name."""
    names = {client.put(upload): upload.name for upload in uploads}
    client.complete(list(names))
    return names


def verdicts(installation: Installation, names: dict[str, str]) -> dict[str, dict[str, Any]]:
    keys = {photo["id"]: photo["file_key"] for photo in installation.client().photos()}
    viewer = installation.client("viewer", Role.VIEWER)
    media = viewer.call("GET", "/admin/moderation/dashboard", params={"limit": 100})["media"]
    return {
        names[keys[m["id"]]]: _without_times(
            m["moderation_status"], m["moderation_reason"], m["moderation_scores"]
        )
        for m in media
    }


def _without_times(status: str, reason: str | None, scores: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in scores.items() if name not in TIMES}
    return {"status": status, "reason": reason, "scores": kept}

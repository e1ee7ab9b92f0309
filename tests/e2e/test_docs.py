"""What the docs tell people to type, typed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from local.home import free_port
from local.samples import jpeg, photograph
from tests.docs import ROOT, block
from tests.e2e.running import RunningStack, clean_environment
from tests.e2e.test_models import Machine
from tests.model.classifiers import Classifier
from tests.servers import eventually


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a checkout, with a photo in it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "photo.jpg").write_bytes(jpeg(photograph("astronaut.png")))
    monkeypatch.chdir(folder)
    return folder


def typed(script: str, **environment: str) -> str:
    """Run a page's commands as a shell does, up to the first that fails; give what they say."""
    done = subprocess.run(
        ["bash", "-euc", script],
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.slow
def test_the_readmes_calls(start: Callable[..., RunningStack]) -> None:
    stack = start()
    setting, ask, put, complete, status = block("README.md", holding="<upload_url>").commands
    setting = setting.replace("http://127.0.0.1:8000", stack.url)

    def call(command: str) -> str:
        return typed(f"{setting}\n{command}", PHOTOGATE_HOME=str(stack.home))

    answer = call(ask)
    found = {
        name: re.search(rf'"{name}":\s*"([^"]+)"', answer) for name in ("upload_url", "file_key")
    }
    given = {name: match[1] for name, match in found.items() if match}
    call(put.replace("<upload_url>", given["upload_url"]))
    assert '"photos_count":1' in call(complete.replace("<file_key>", given["file_key"]))
    eventually(lambda: '"moderation_status":"approved"' in call(status))


@pytest.mark.usefixtures("folder", "faces_bundle")
@pytest.mark.slow
def test_commands_on_a_stack(start: Callable[..., RunningStack]) -> None:
    stack = start("--demo", POWERTOOLS_METRICS_DISABLED="false")
    batch = re.search(r'"batch_id":\s*"(\w{8})', (stack.home / "logs" / "api.log").read_text())
    assert batch

    def says(page: str, holding: str) -> str:
        script = block(page, holding=holding).script.replace("0f8fad5b", batch[1])
        return typed(script, PHOTOGATE_HOME=str(stack.home), COLUMNS="300")

    assert re.search(r"nsfw\.least.*approved", says("README.md", "check --explain"))
    told = says("docs/logs.md", "photogate logs")
    assert re.search(r"moderate .*rejected .*group_photo", told), told
    assert re.search(r"Photos .*reason=group_photo", told), told
    told = says("docs/accuracy.md", "photogate accuracy")
    assert "Nobody has looked at approved photos drawn at random" in told
    assert "profile@4" in told
    told = says("docs/troubleshoot.md", "photogate watch --once")
    assert "✓ workers" in told
    assert "nothing was given up" in told
    assert "nothing was given up" in says("docs/troubleshoot.md", "notices dead")
    assert "nothing was given up" in says("docs/logs.md", "photogate queue dead")
    told = says("docs/operate.md", "photogate queue stats")
    assert re.search(r"given up .*nothing was given up\s+redriven: photos 0", told, re.DOTALL), told
    told = says("docs/operate.md", "photogate results")
    assert re.search(r"rejected .*too_small.*verdicts of the machine by day", told, re.DOTALL), told
    links = says("docs/review.md", "token --admin").split()
    tokens = [link.removeprefix(f"{stack.url}/admin/sign-in#") for link in links]
    where = f"{stack.url}/api/v1/admin/session"
    begun = [requests.post(where, json={"token": token}, timeout=10).json() for token in tokens]
    assert [(session["user_id"], session["role"]) for session in begun] == [
        ("admin", "admin"),
        ("ada", "moderator"),
    ]
    assert requests.post(where, json={"token": tokens[0]}, timeout=10).status_code == 401
    told = says("docs/review.md", "photogate sessions")
    assert re.search(r"ada .*moderator", told), told
    assert "sessions ended: 1" in told


@pytest.mark.slow
def test_the_page_on_models(
    folder: Path, tmp_path: Path, bundle: Path, second_bundle: Path
) -> None:
    machine = Machine(tmp_path / "cache", bundle, second_bundle)
    Classifier(labels=["normal", "nsfw"]).write(folder / "DIR")
    cache = machine.environment["PHOTOGATE_CACHE"]
    # Nobody is here to answer its question.
    add = block("docs/models.md", holding="model add").script
    typed(f"{add} --yes", PHOTOGATE_CACHE=cache)
    check, run, *others = block("docs/models.md", holding="make run MODEL=").commands
    assert "photo.jpg" in typed(check, PHOTOGATE_CACHE=cache, COLUMNS="200")
    said = typed("\n".join(others), PHOTOGATE_CACHE=cache)
    assert "my-vit" in said
    third = block("docs/models.md", holding="THIRD_MODEL").script
    assert "photo.jpg" in typed(third, PHOTOGATE_CACHE=cache, COLUMNS="200")
    (folder / "layers" / "model" / "own").mkdir(parents=True)
    typed(block("docs/models.md", holding="layers/model/own").commands[0], PHOTOGATE_CACHE=cache)
    assert (folder / "layers" / "model" / "own" / "model.onnx").stat().st_size

    output = tmp_path / "make.out"
    with output.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {run}"],
            cwd=ROOT,
            env={
                **clean_environment(),
                "PHOTOGATE_CACHE": cache,
                "PHOTOGATE_HOME": str(tmp_path / "home"),
                "PORT": str(free_port()),
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        eventually(lambda: "Ctrl-C stops" in output.read_text(), within_s=90)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)

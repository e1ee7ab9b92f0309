"""Wheels, as docs/install.md has them: built here, installed into nothing else, and run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from local.home import free_port
from tests.docs import ROOT, block
from tests.e2e.running import clean_environment
from tests.servers import eventually


@pytest.mark.slow
def test_wheels_run_without_a_checkout(tmp_path: Path, bundle: Path, second_bundle: Path) -> None:
    # given what `make dist` builds, and nothing else of the checkout
    make = block("docs/install.md", holding="make dist").script
    build = f"{make} DIST={tmp_path / 'dist'}"
    subprocess.run(["bash", "-ec", build], cwd=ROOT, check=True, timeout=300)
    described = json.loads((tmp_path / "dist" / "sbom.cdx.json").read_text())
    names = {component["name"] for component in described["components"]}
    assert {"onnxruntime", "fastapi", "pg8000"} <= names
    # when it is installed as the page says
    *install, up = block("docs/install.md", holding="photogate-env/bin/photogate up").commands
    environment = clean_environment()
    subprocess.run(
        ["bash", "-ec", "\n".join(install)],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=500,
    )
    # then it runs there, and judges photos
    output = tmp_path / "up.out"
    with output.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {up} --port {free_port()}"],
            cwd=tmp_path,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(
            lambda: process.poll() is not None or "Ctrl-C stops" in output.read_text(),
            within_s=120,
        )
        assert process.poll() is None, output.read_text()
        smoke = subprocess.run(
            [tmp_path / "photogate-env" / "bin" / "photogate", "smoke", "2"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    # and the builder that the wheel brings along names the same models as the checkout's
    told = subprocess.run(
        [tmp_path / "photogate-env" / "bin" / "photogate", "model", "build"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert told.stdout.split() == [os.fspath(bundle), os.fspath(second_bundle)]

"""checkov's findings in template.yaml are those that .ci/checkov.yaml accepts, with its reasons.

``make checkov`` names the command in PHOTOGATE_CHECKOV.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
CHECKOV = os.environ.get("PHOTOGATE_CHECKOV")
ACCEPTED = yaml.safe_load((ROOT / ".ci" / "checkov.yaml").read_text("utf-8"))


def test_each_accepted_finding_has_its_reason() -> None:
    for check, accepted in ACCEPTED.items():
        assert set(accepted) == {"why", "resources"}, check
        assert len(accepted["why"]) > 30, check


@pytest.mark.skipif(not CHECKOV, reason="`make checkov` runs it")
def test_it_finds_nothing_else() -> None:
    assert CHECKOV
    done = subprocess.run(
        [
            CHECKOV,
            *("--file", ROOT / "template.yaml", "--framework", "cloudformation"),
            *("--skip-download", "--compact", "--quiet", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 50
    found = {
        (f["check_id"], f["resource"].rpartition(".")[2])
        for f in report["results"]["failed_checks"]
    }
    known = {(check, name) for check, a in ACCEPTED.items() for name in a["resources"]}
    assert sorted(found - known) == [], (
        "new: mend it, or accept it in .ci/checkov.yaml with a reason"
    )
    assert sorted(known - found) == [], "no longer found: remove it from .ci/checkov.yaml"

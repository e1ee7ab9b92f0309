"""The zip functions as ``sam build`` packs them, with nothing but their layer beside them.

``make sam-build`` builds them and names the folder in PHOTOGATE_ARTEFACTS.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from photogate.adapters.postgres.pool import Pool
from tests.functions.conftest import Installation
from tests.functions.test_docs_pages import PAGES
from tests.functions.test_events import TABLE, function_of, says_so
from tests.functions.test_upload import api_gateway_event
from tests.unit.test_deployment_order import named
from tests.unit.test_template import FUNCTIONS, listed

FOLDER = os.environ.get("PHOTOGATE_ARTEFACTS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="`make sam-build` runs it")

ROOT = Path(__file__).parents[2]
ZIPPED = {n: f["Handler"] for n, f in FUNCTIONS.items() if f.get("PackageType") != "Image"}

#: The Python for which it was built.
RUNTIME = os.environ.get("PHOTOGATE_RUNTIME", "python3.11")
#: Of Amazon Linux 2, on which Lambda's Python 3.11 runs, and of 2023, on which later ones do.
GLIBC = (2, 26) if RUNTIME == "python3.11" else (2, 34)
#: Lambda's limit for a function and its layers, unpacked.
MOST_BYTES = 250_000_000

#: What Lambda's runtime does, as far as it matters here.
RUN = """
import importlib, json, sys
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)
class Context:
    function_name, memory_limit_in_mb, invoked_function_arn, aws_request_id = "f", 512, "arn", "id"
    def get_remaining_time_in_millis(self): return 20_000
print("ANSWER", json.dumps(handler(json.load(sys.stdin), Context())))
"""


def folder() -> Path:
    assert FOLDER
    return Path(FOLDER)


def run(name: str, event: str) -> Any:
    """Give a function's answer to a file of ``events/``."""
    return invoke(name, json.loads((ROOT / "events" / event).read_text("utf-8")))


def invoke(name: str, event: dict[str, Any]) -> Any:
    """Give a function's answer; only its artefact and the layer can be imported."""
    python = shutil.which(RUNTIME)
    assert python
    path = f"{folder() / name}:{folder() / 'CoreLayer' / 'python'}"
    done = subprocess.run(
        # Without site-packages.
        [python, "-S", "-c", RUN, ZIPPED[name]],
        input=json.dumps(event),
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder() / name,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (answer,) = re.findall(r"^ANSWER (.*)$", done.stdout, re.MULTILINE)
    return json.loads(answer)


class TestZipped:
    def test_upload_answers(self, installation: Installation) -> None:
        answer = run("UploadFunction", "health.json")
        assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (200, "ok")
        refused = run("UploadFunction", "upload-url.json")
        assert refused["headers"]["content-type"] == "application/problem+json"

    def test_admin_answers(self, installation: Installation) -> None:
        # It knows no such path, and says so in its own words.
        answer = run("AdminFunction", "health.json")
        assert answer["headers"]["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("path", PAGES)
    def test_the_page_of_the_api_has_its_parts(self, path: str) -> None:
        name = next(n for n, handler in ZIPPED.items() if handler == PAGES[path])
        for part, words in {
            path: "start.js",
            f"{path}/swagger-ui-bundle.js": "SwaggerUIBundle",
            f"{path}/start.js": "openapi.json",
        }.items():
            answer = invoke(name, api_gateway_event("GET", part))
            assert (answer["statusCode"], words in answer["body"]) == (200, True)

    def test_admin_serves_the_moderators_page(self, installation: Installation) -> None:
        answer = invoke("AdminFunction", api_gateway_event("GET", "/admin"))
        assert answer["statusCode"] == 200
        assert "<title>Review · Photogate</title>" in answer["body"]

    def test_sweep_answers(self, installation: Installation) -> None:
        assert set(run("SweepFunction", "schedule.json").values()) == {0}

    def test_migrate_answers(self, installation: Installation) -> None:
        assert run("MigrateFunction", "schedule.json") == {"applied": []}


@pytest.mark.parametrize(
    ("command", "answer"), [row for row in TABLE if function_of(row[0]) in ZIPPED]
)
def test_a_command_answers_what_the_docs_say(
    command: str, answer: str, on_aws: Installation, pool: Pool, portrait: bytes
) -> None:
    says_so(command, answer, invoke, portrait)


@pytest.mark.parametrize("name", ZIPPED)
def test_a_function_holds_its_own_folder_and_nothing_else(name: str) -> None:
    source = ROOT / FUNCTIONS[name]["CodeUri"]
    built = {p.relative_to(folder() / name) for p in (folder() / name).rglob("*") if p.is_file()}
    assert built == {p.relative_to(ROOT) for p in source.rglob("*.py")}


class TestLayer:
    def test_it_holds_the_package(self) -> None:
        layer = folder() / "CoreLayer" / "python"
        own = layer / "photogate"
        source = ROOT / "layers" / "core" / "photogate"
        shipped = {p.relative_to(own) for p in own.rglob("*") if p.is_file()}
        assert shipped == {
            p.relative_to(source)
            for p in source.rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        }
        assert not (layer / "build").exists()

    def test_it_fits(self) -> None:
        files = [p for p in (folder() / "CoreLayer").rglob("*") if p.is_file()]
        assert sum(p.stat().st_size for p in files) < MOST_BYTES

    def test_its_libraries_run_on_lambda(self) -> None:
        libraries = [p for p in (folder() / "CoreLayer").rglob("*.so*") if p.is_file()]
        assert libraries
        for library in libraries:
            needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())
            assert all((int(a), int(b)) <= GLIBC for a, b in needed), library.name


def transformed(**parameters: str) -> dict[str, Any]:
    """Give the resources that AWS makes of the template."""
    done = subprocess.run(
        [
            ROOT / ".venv-sam" / "bin" / "python",
            ROOT / "tests" / "functions" / "sam_transform.py",
            ROOT / "template.yaml",
            *(f"{name}={value}" for name, value in parameters.items()),
        ],
        env=os.environ | {"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


class TestTransform:
    """The resources of the alias, by the same code that AWS runs."""

    first = property(lambda _: transformed(Release="a" * 40))

    def versions(self, resources: dict[str, Any]) -> set[str]:
        return {n for n, r in resources.items() if r["Type"] == "AWS::Lambda::Version"}

    def test_the_release_alone_makes_new_versions(self) -> None:
        first = self.versions(self.first)
        assert len(first) == len(FUNCTIONS) - 1
        assert self.versions(transformed(Release="a" * 40, LogLevel="DEBUG")) == first
        other = transformed(Release="b" * 40)
        assert not self.versions(other) & first
        # Lambda publishes nothing when nothing changed: the digest is part of the description.
        described = [r.get("Properties", {}).get("Description", "") for r in other.values()]
        assert sum(isinstance(d, str) and d.endswith("b" * 40) for d in described) == len(first)

    def test_clients_queues_and_the_schedule_call_the_alias(self) -> None:
        found = self.first
        for name, resource in found.items():
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                assert "Alias" in json.dumps(resource["Properties"]["FunctionName"]), name
            if resource["Type"] == "AWS::Events::Rule":
                targets = resource["Properties"]["Targets"]
                assert all("Alias" in json.dumps(target["Arn"]) for target in targets), name
            if resource["Type"] == "AWS::Lambda::EventInvokeConfig" and name != "MigrateOnce":
                assert resource["Properties"]["Qualifier"] == "live"
            if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup":
                assert resource["Properties"]["AutoRollbackConfiguration"]["Enabled"] is True
        paths = json.dumps(found["Api"]["Properties"]["Body"]["paths"])
        assert paths.count("AliasL") + paths.count("Aliaslive") == paths.count("Fn::Sub")

    def test_there_is_an_order(self) -> None:
        found = self.first
        graph = {
            name: {
                *listed(resource.get("DependsOn", [])),
                *named(resource.get("Properties", {})),
                *named(resource.get("UpdatePolicy", {})),
            }
            & set(found)
            for name, resource in found.items()
        }
        order = list(TopologicalSorter(graph).static_order())
        for name, resource in found.items():
            if resource["Type"] == "AWS::Lambda::Alias":
                assert order.index(name) > order.index("MigrationFourthRun")

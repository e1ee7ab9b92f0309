"""What the compose file promises: no default passwords, order, limits, closed containers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.unit.test_template import known_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "local" / "compose.yaml"
EXAMPLE = ROOT / "local" / "compose.env.example"

COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [n for n, service in SERVICES.items() if service["image"].startswith("photogate-")]
COMPREFACE = [name for name in SERVICES if name.startswith("compreface-")]

#: Of the SDK, which reads them by itself.
SDK_NAMES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}


def test_the_whole_stack_is_there() -> None:
    assert set(SERVICES) == {
        "postgres",
        "redis",
        "moto",
        "moto-setup",
        "migrate",
        "api",
        "moderator-worker",
        "sweep",
        *(f"compreface-{part}" for part in ("postgres-db", "core", "api", "admin", "fe")),
    }


@pytest.mark.parametrize("name", SERVICES)
class TestEveryService:
    def test_it_belongs_to_the_profile(self, name: str) -> None:
        assert SERVICES[name]["profiles"] == ["full"]

    def test_its_image_is_pinned(self, name: str) -> None:
        service = SERVICES[name]
        if "build" in service:
            build = service["build"]
            assert (ROOT / build["dockerfile"]).is_file()
            assert (FILE.parent / build["context"]).resolve() == ROOT
        else:
            assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"])

    def test_it_says_whether_it_works(self, name: str) -> None:
        check = SERVICES[name]["healthcheck"]
        # What runs once is known by its exit status.
        assert check == {"disable": True} if name == "migrate" else check["test"]

    def test_it_starts_again(self, name: str) -> None:
        assert SERVICES[name]["restart"] == (
            "on-failure" if name == "migrate" else "unless-stopped"
        )

    def test_its_memory_and_logs_are_limited(self, name: str) -> None:
        service = SERVICES[name]
        assert service["deploy"]["resources"]["limits"]["memory"]
        assert service["logging"]["options"]["max-size"]

    def test_it_cannot_gain_privileges(self, name: str) -> None:
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]

    def test_it_can_be_scaled_and_renamed(self, name: str) -> None:
        assert "container_name" not in SERVICES[name]

    def test_its_ports_are_for_this_machine_only(self, name: str) -> None:
        for port in SERVICES[name].get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{(\w+_)?PORT:-\d+\}:\d+", port)

    def test_no_password_stands_in_it(self, name: str) -> None:
        for variable, value in SERVICES[name].get("environment", {}).items():
            if re.search("PASSWORD|SECRET", variable) and variable != "EMAIL_PASSWORD":
                assert re.fullmatch(r"\$\{[A-Z0-9_]+:\?[^}]+\}", value), variable

    def test_it_waits_for_what_exists(self, name: str) -> None:
        for other, how in SERVICES[name].get("depends_on", {}).items():
            condition = how["condition"]
            assert other in SERVICES
            assert (condition == "service_completed_successfully") == (other == "migrate")


@pytest.mark.parametrize("name", [n for n in SERVICES if n not in COMPREFACE])
def test_all_but_compreface_are_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "/tmp" in service["tmpfs"]  # noqa: S108
    # Our images name a user by themselves.
    assert service.get("user") or name in OURS


@pytest.mark.parametrize("name", OURS)
class TestOurs:
    def test_its_environment_is_made_of_settings(self, name: str) -> None:
        assert set(SERVICES[name]["environment"]) - known_settings() - SDK_NAMES == set()

    def test_its_user_is_nobody(self, name: str) -> None:
        dockerfile = (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text(encoding="utf-8")
        last_stage = dockerfile.rpartition("\nFROM ")[2]
        assert "\nUSER 65534:65534\n" in last_stage

    def test_its_modules_are_in_its_image(self, name: str) -> None:
        service = SERVICES[name]
        dockerfile = (ROOT / service["build"]["dockerfile"]).read_text(encoding="utf-8")
        command = [*service.get("command", []), *service["healthcheck"].get("test", [])]
        for module in re.findall(r"\blocal\.([\w.]+)", " ".join(command)):
            assert f"local/{module.replace('.', '/')}.py" in dockerfile


class TestWorkers:
    worker = SERVICES["moderator-worker"]

    def test_there_are_four_of_half_a_gigabyte_to_one(self) -> None:
        assert self.worker["deploy"] == {
            "replicas": 4,
            "resources": {"reservations": {"memory": "512M"}, "limits": {"memory": "1G"}},
        }

    def test_they_are_the_moderate_image(self) -> None:
        assert self.worker["build"]["dockerfile"] == "functions/moderate/Dockerfile"
        assert self.worker["build"]["target"] == "worker"

    def test_they_wait_for_the_schema(self) -> None:
        for name in ("api", "moderator-worker", "sweep"):
            assert "migrate" in SERVICES[name]["depends_on"]


def test_compreface_is_reached_by_those_who_ask_it_and_by_nobody_else() -> None:
    inside = {name for name in SERVICES if "compreface" in SERVICES[name]["networks"]}
    assert inside == {*COMPREFACE, "api", "moderator-worker"}
    for name in ("api", "moderator-worker"):
        settings = SERVICES[name]["environment"]
        assert {"POLICY", "COMPREFACE_URL", "COMPREFACE_API_KEY"} <= set(settings)


def test_clients_reach_the_api_the_photos_and_compreface_and_nothing_else() -> None:
    published = [name for name, service in SERVICES.items() if service.get("ports")]
    # Signed URLs lead to moto; CompreFace's page makes its API key.
    assert published == ["moto", "api", "compreface-fe"]


def test_compreface_is_of_one_version() -> None:
    versions = {SERVICES[name]["image"].rpartition(":")[2] for name in COMPREFACE}
    assert versions == {"1.2.0"}


def test_the_example_names_every_variable() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", FILE.read_text(encoding="utf-8")))
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert used == named


def test_docker_compose_takes_it() -> None:
    docker = shutil.which("docker")
    asked = docker and subprocess.run(
        [docker, "compose", "version"], capture_output=True, check=False
    )
    if not asked or asked.returncode:
        pytest.skip("docker compose is not here")
    required = re.findall(r"\$\{([A-Z0-9_]+):\?", FILE.read_text(encoding="utf-8"))
    command = ["docker", "compose", "--file", str(FILE), "--profile", "full", "config", "--quiet"]
    done = subprocess.run(
        command,
        env={**os.environ, **dict.fromkeys(required, "0" * 64)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

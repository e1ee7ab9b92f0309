"""What the compose file promises: no default passwords, order, limits, closed containers."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from local import compose_env
from photogate import settings as s
from tests.unit.test_template import known_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "local" / "compose.yaml"
DOCS = ROOT / "docs" / "compose.md"

COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [n for n, service in SERVICES.items() if service["image"].startswith("photogate-")]
COMPREFACE = [name for name in SERVICES if name.startswith("compreface-")]
MONITORING = ["prometheus", "grafana"]
#: Not run where this was written: nothing is taken away from them.
OPEN = [*COMPREFACE, "grafana"]

MOTO = ["moto", "moto-setup"]
#: They run once, and end.
ONCE = ["migrate", "photogate"]

#: Of the SDK, which reads them by itself.
SDK_NAMES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}
#: In the file for the servers; ours are given an empty one instead.
SERVERS_OWN = {"POSTGRES_PASSWORD", "COMPREFACE_DB_PASSWORD", "GRAFANA_PASSWORD"}

#: What each of ours reads.
MODELS: dict[str, tuple[type[s.LogSettings], ...]] = {
    "migrate": (s.MigrateSettings,),
    "api": (s.UploadSettings, s.AdminSettings, s.ServeSettings, s.MetricsSettings),
    "moderator-worker": (s.ModerateSettings,),
    "sweep": (s.SweepSettings, s.SenderSettings, s.AlertSettings),
}
#: Settings of which compose.yaml decides, whatever .env says.
_CONTAINER = "the container's; DATABASE_URL names a server of one's own, and wins"
_REDIS = "the container's; REDIS_URL names a server of one's own, and wins"
_IMAGE = "in the image; layers/model/own takes a model of one's own"
FIXED = {
    "DB_HOST": _CONTAINER,
    "DB_PORT": _CONTAINER,
    "DB_NAME": _CONTAINER,
    "DB_USER": _CONTAINER,
    "DB_PASSWORD": _CONTAINER,
    "REDIS_HOST": _REDIS,
    "REDIS_PORT": _REDIS,
    "MODEL_DIR": _IMAGE,
    "FACES_DIR": _IMAGE,
    "ALERT_STATE": "in a volume",
}


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
        "photogate",
        "caddy",
        *MONITORING,
        *(f"compreface-{part}" for part in ("postgres-db", "core", "api", "admin", "fe")),
    }


@pytest.mark.parametrize("name", SERVICES)
class TestEveryService:
    def test_it_belongs_to_its_profile(self, name: str) -> None:
        profiles = {
            **{name: ["aws", "full"] for name in MOTO},
            **{name: ["compreface", "full"] for name in COMPREFACE},
            **{name: ["monitoring"] for name in MONITORING},
            "caddy": ["tls"],
            "photogate": ["tools"],
        }
        assert SERVICES[name].get("profiles", []) == profiles.get(name, [])

    def test_its_image_is_pinned(self, name: str) -> None:
        service = SERVICES[name]
        if "build" in service:
            build = service["build"]
            assert (ROOT / build["dockerfile"]).is_file()
            assert (FILE.parent / build["context"]).resolve() == ROOT
        else:
            assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"])

    def test_it_says_whether_it_works(self, name: str) -> None:
        check = SERVICES[name]["healthcheck"]
        # What runs once is known by its exit status.
        assert check == {"disable": True} if name in ONCE else check["test"]
        if name not in (*ONCE, *COMPREFACE):
            assert check["start_interval"] in ("1s", "3s")
            assert check["start_period"]

    def test_it_starts_again(self, name: str) -> None:
        assert SERVICES[name]["restart"] == (
            # A failed migration is told, and not tried for ever.
            "no" if name in ONCE else "unless-stopped"
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
        if name == "caddy":
            return  # for everybody
        for port in SERVICES[name].get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+", port)

    def test_no_password_stands_in_it(self, name: str) -> None:
        for variable, value in SERVICES[name].get("environment", {}).items():
            empty = value == "" or name in MOTO  # which takes any password
            if re.search("PASSWORD|SECRET|TOKEN", variable) and not empty:
                assert re.fullmatch(r"\$\{[A-Z0-9_]+:\?[^}]+\}", value), variable

    def test_it_waits_for_what_exists(self, name: str) -> None:
        for other, how in SERVICES[name].get("depends_on", {}).items():
            condition = how["condition"]
            assert other in SERVICES
            assert (condition == "service_completed_successfully") == (other == "migrate")
            # What is in a profile may be waited for by what is in none.
            optional = other in MOTO and name not in MOTO
            assert how.get("required", True) is not optional


@pytest.mark.parametrize("name", [n for n in SERVICES if n not in OPEN])
def test_all_but_those_of_others_are_closed(name: str) -> None:
    service = SERVICES[name]
    # Root's folders are in its image; it may open a port below 1024, and nothing else.
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "/tmp" in service["tmpfs"]  # noqa: S108
    # Our images name a user by themselves.
    assert service.get("user") or name in OURS


@pytest.mark.parametrize("name", OURS)
class TestOurs:
    def test_its_environment_is_made_of_settings(self, name: str) -> None:
        names = set(SERVICES[name]["environment"])
        of_commands = {"PHOTOGATE_API_URL", "PHOTOGATE_HOME"} if name == "photogate" else set()
        assert names - known_settings() - SDK_NAMES - SERVERS_OWN == of_commands

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
        if name == "photogate":
            assert "COPY local /app/local\n" in dockerfile


@pytest.mark.parametrize("name", MODELS)
class TestSettings:
    def test_each_reaches_it_but_those_that_are_fixed(self, name: str) -> None:
        service = SERVICES[name]
        assert [(FILE.parent / file).resolve() for file in service["env_file"]] == [ROOT / ".env"]
        wanted = {field.upper() for model in MODELS[name] for field in model.model_fields}
        for setting in wanted & set(service["environment"]):
            passed = f"${{{setting}" in service["environment"][setting]
            assert passed or setting in FIXED, f"{setting} is not passed on to {name}"

    def test_it_has_no_secret_of_others(self, name: str) -> None:
        wanted = {field.upper() for model in MODELS[name] for field in model.model_fields}
        empty = {key for key, value in SERVICES[name]["environment"].items() if value == ""}
        of_api = {
            "JWT_SECRET",
            "FILE_KEY_SECRET",
            "PHOTOS_URL_SECRET",
            "METRICS_TOKEN",
            "OIDC_CLIENT_SECRET",
        }
        of_sweep = s.secret_names(s.AlertSettings)
        assert empty == (SERVERS_OWN | of_api | of_sweep | {"MIGRATE_DATABASE_URL"}) - wanted


def test_every_setting_is_read_by_one_of_them() -> None:
    read = {m for models in MODELS.values() for model in models for m in model.model_fields}
    # The sweep tells people and backends by itself; only AWS has a function for it.
    on_aws = set(s.NotifierSettings.model_fields) - set(s.NoticeSettings.model_fields)
    assert {name.upper() for name in read | on_aws} == known_settings()


def test_what_is_fixed_is_a_setting_that_is_fixed() -> None:
    written = {name for service in MODELS for name in SERVICES[service]["environment"]}
    assert set(FIXED) <= written & known_settings()


def test_photos_are_in_a_volume_that_the_api_the_workers_and_the_sweep_share() -> None:
    found = {name: service.get("volumes", []) for name, service in SERVICES.items()}
    mounted = {name: volumes for name, volumes in found.items() if "photos" in str(volumes)}
    assert mounted == {
        "api": ["photos:/photos"],
        "moderator-worker": ["photos:/photos"],
        "sweep": ["photos:/photos", "alerts:/alerts"],
        "photogate": ["photos:/photos", "alerts:/alerts"],
    }
    assert "photos" in COMPOSE["volumes"]
    for name in mounted:
        dockerfile = (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text(encoding="utf-8")
        last_stage = dockerfile.rpartition("\nFROM ")[2]
        assert "install --directory --owner 65534 --group 65534 /photos\n" in last_stage


def test_what_operators_were_told_outlives_the_sweep() -> None:
    place = SERVICES["sweep"]["environment"]["ALERT_STATE"]
    assert place.startswith("/alerts/")
    assert "alerts" in COMPOSE["volumes"]
    dockerfile = (ROOT / "local" / "Dockerfile").read_text(encoding="utf-8")
    assert "install --directory --owner 65534 --group 65534 /alerts\n" in dockerfile


class TestWorkers:
    worker = SERVICES["moderator-worker"]

    def test_there_are_four_of_half_a_gigabyte_to_one(self) -> None:
        assert self.worker["deploy"] == {
            "replicas": "${WORKERS:-4}",
            "resources": {"reservations": {"memory": "512M"}, "limits": {"memory": "1G"}},
        }

    def test_they_are_the_moderate_image(self) -> None:
        assert self.worker["build"]["dockerfile"] == "functions/moderate/Dockerfile"
        assert self.worker["build"]["target"] == "worker"

    def test_the_file_chooses_the_panel_and_how_closely_it_looks(self) -> None:
        """Unlike the first model's folder: the image's own value gives way to the file's."""
        assert not {"SECOND_MODEL", "THIRD_MODEL", "LOOK"} & self.worker["environment"].keys()

    def test_they_wait_for_the_schema(self) -> None:
        for name in ("api", "moderator-worker", "sweep"):
            assert "migrate" in SERVICES[name]["depends_on"]


def test_compreface_is_reached_by_those_who_ask_it_and_by_nobody_else() -> None:
    inside = {name for name in SERVICES if "compreface" in SERVICES[name]["networks"]}
    assert inside == {*COMPREFACE, "api", "moderator-worker", "photogate"}


def test_a_policy_of_ones_own_goes_to_those_who_follow_it() -> None:
    """The second compose file of ``docs/policies.md``."""
    docs = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```\n( +services:.*?)```", docs, re.DOTALL)
    added = yaml.safe_load(textwrap.dedent(snippet))["services"]
    followers = {
        n for n, models in MODELS.items() if any("policy" in m.model_fields for m in models)
    }
    assert added.keys() == followers
    for service in added.values():
        (volume,) = service["volumes"]
        assert volume.split(":")[1] == service["environment"]["POLICY"]


def test_clients_reach_the_api_the_photos_and_pages_and_nothing_else() -> None:
    published = [name for name, service in SERVICES.items() if service.get("ports")]
    # Signed URLs lead to moto; CompreFace's page makes its API key.
    assert published == ["moto", "api", "caddy", "prometheus", "grafana", "compreface-fe"]


def test_what_is_in_front_and_beside_reaches_the_api_alone() -> None:
    def inside(network: str) -> set[str]:
        return {n for n, service in SERVICES.items() if network in service["networks"]}

    assert inside("front") == {"api", "caddy"}
    assert inside("monitoring") == {"api", *MONITORING}
    assert inside("photogate").isdisjoint({"caddy", *MONITORING})


def test_compreface_is_of_one_version() -> None:
    versions = {SERVICES[name]["image"].rpartition(":")[2] for name in COMPREFACE}
    assert versions == {"1.2.0"}


def test_the_docs_name_every_variable() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", FILE.read_text(encoding="utf-8")))
    made = set(compose_env.missing(""))
    named = set(re.findall(r"`([A-Z0-9_]+)", DOCS.read_text(encoding="utf-8")))
    assert used - made - known_settings() <= named


def test_docker_compose_takes_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    asked = docker and subprocess.run(
        [docker, "compose", "version"], capture_output=True, check=False
    )
    if not asked or asked.returncode:
        pytest.skip("docker compose is not here")
    copy = tmp_path / "local/compose.yaml"
    compose_env.complete(tmp_path / ".env")
    copy.parent.mkdir()
    copy.write_bytes(FILE.read_bytes())
    done = subprocess.run(
        ["docker", "compose", "--profile", "*", "config", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

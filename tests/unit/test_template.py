"""What the template promises: least privilege, partial batches, times that fit together."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml  # type: ignore[import-untyped]

from photogate import settings as s
from photogate.domain.policy import Look
from photogate.policies import PRESETS
from photogate.service.handing_over import LEASE_S
from photogate.service.moderate import MAX_DELIVERIES
from photogate.service.notices import PARCEL_S

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"

#: Actions that AWS offers for every resource or for none, and keys that are made at run time.
WILDCARD_RESOURCES = {
    "xray:PutTraceSegments": "X-Ray knows no resources to write traces to",
    "xray:PutTelemetryRecords": "X-Ray knows no resources to write traces to",
    "ec2:CreateNetworkInterface": "Lambda makes a VPC's interfaces under ids of their own",
    "ec2:DescribeNetworkInterfaces": "EC2 lists interfaces for every resource or for none",
    "ec2:DescribeSubnets": "EC2 lists subnets for every resource or for none",
    "ec2:DeleteNetworkInterface": "Lambda makes a VPC's interfaces under ids of their own",
    "ec2:AssignPrivateIpAddresses": "Lambda makes a VPC's interfaces under ids of their own",
    "ec2:UnassignPrivateIpAddresses": "Lambda makes a VPC's interfaces under ids of their own",
    "cloudwatch:DescribeAlarms": "CodeDeploy asks for several alarms in one call",
    "s3:GetObject": "a photo's key is made at run time; bounded to its prefix",
    "s3:PutObject": "a photo's key is made at run time; bounded to its prefix",
    "s3:DeleteObject": "a photo's key is made at run time; bounded to its prefix",
}
#: AWS's own, one a region; whoever holds a signed URL may put there, and nobody else.
CLOUDFORMATION_BUCKET = {
    "Fn::Sub": [
        "arn:${AWS::Partition}:s3:::cloudformation-custom-resource-response-${Region}/*",
        {"Region": {"Fn::Join": ["", {"Fn::Split": ["-", {"Ref": "AWS::Region"}]}]}},
    ]
}
#: What each function may do with photos, by action and prefix. Nobody but the moderate function
#: writes what is shown, and nothing that a client wrote is shown: see "What is shown is what was
#: judged" in the template's roles. ``users`` is the earlier layout.
PREFIXES = {"incoming", "kept", "copies", "users"}
PHOTO_ACCESS = {
    "UploadRole": {
        "s3:PutObject": {"incoming"},
        "s3:GetObject": {"incoming", "copies", "users"},
        "s3:DeleteObject": PREFIXES,
    },
    "AdminRole": {"s3:GetObject": {"copies", "users"}, "s3:DeleteObject": PREFIXES},
    "ModerateRole": {
        "s3:GetObject": {"incoming", "kept", "users"},
        "s3:PutObject": {"kept", "copies"},
        "s3:DeleteObject": {"kept", "copies"},
    },
    "SweepRole": {"s3:DeleteObject": PREFIXES},
    "MigrateRole": {},
    # Uploads come from outside of the network.
    "S3Endpoint": {
        "s3:GetObject": PREFIXES,
        "s3:DeleteObject": PREFIXES,
        "s3:PutObject": {"kept", "copies"},
    },
}
#: Only these may be wide, because they take away: everything that is not encrypted.
TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}

#: Read by ``bootstrap`` itself, before any settings model.
SECRET_NAMES = s.SECRET_NAMES


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's tags as its long forms."""


def _tagged(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _tagged)


@cache
def template() -> dict[str, Any]:
    found = _Loader(TEMPLATE.read_text(encoding="utf-8")).get_single_data()
    assert isinstance(found, dict)
    return found


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The properties, by name, of all resources of one type."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from walk(inner, f"{path}/{number}")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def photo_access(owner: Any) -> dict[str, set[str]]:
    """The prefixes of the bucket by the action that these policies allow there."""
    found: dict[str, set[str]] = {}
    for _, statement in walk(owner):
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
            continue
        for resource in listed(statement.get("Resource", [])):
            name = resource.get("Fn::Sub") if isinstance(resource, dict) else None
            if isinstance(name, str) and (at := re.fullmatch(r"\$\{Photos\.Arn}/(.*)/\*", name)):
                for action in listed(statement["Action"]):
                    found.setdefault(action, set()).add(at[1])
    return found


STATEMENTS = [
    (path, value)
    for path, value in walk(template()["Resources"])
    if isinstance(value, dict) and "Effect" in value
]
FUNCTIONS = resources("AWS::Serverless::Function")
GLOBALS = template()["Globals"]["Function"]
QUEUES = resources("AWS::SQS::Queue")


class TestPermissions:
    def test_actions_and_resources_are_exact(self) -> None:
        assert len(STATEMENTS) > 20
        for path, statement in STATEMENTS:
            assert "NotAction" not in statement, path
            assert "NotResource" not in statement, path
            if statement["Effect"] == "Deny":
                assert statement["Condition"] == TLS_ONLY, path
            else:
                self.assert_exact(statement)

    def assert_exact(self, statement: dict[str, Any]) -> None:
        actions = listed(statement["Action"])
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action) for action in actions), actions
        if "AssumeRole" in actions[0]:
            return
        if "*" in json.dumps(statement["Resource"]):
            for action in actions:
                assert WILDCARD_RESOURCES.get(action), f"{action} needs no wildcard"
            for resource in listed(statement["Resource"]):
                if resource == CLOUDFORMATION_BUCKET:
                    assert actions == ["s3:PutObject"]
                elif any(action.startswith("s3:") for action in actions):
                    assert resource["Fn::Sub"] in {f"${{Photos.Arn}}/{p}/*" for p in PREFIXES}

    def test_every_exception_is_in_use(self) -> None:
        text = json.dumps(template()["Resources"])
        assert [action for action in WILDCARD_RESOURCES if action not in text] == []

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_a_function_has_a_role_of_its_own(self, name: str) -> None:
        # Without a role SAM makes one, with AWS's own policies, which are full of wildcards.
        function = FUNCTIONS[name]
        role = f"{name.removesuffix('Function')}Role"
        assert function["Role"] == {"Fn::GetAtt": f"{role}.Arn"}
        assert "Policies" not in function

    def test_roles_use_no_policy_of_aws(self) -> None:
        for name, role in resources("AWS::IAM::Role").items():
            common = [{"Ref": "CommonPolicy"}] if name in inside() else []
            assert role.get("ManagedPolicyArns", []) == common

    def test_the_notifier_reads_the_channels_secret_alone_and_is_in_no_network(self) -> None:
        role = resources("AWS::IAM::Role")["NotifyRole"]
        assert secrets_in(role) == {"ChannelsSecretArn"}
        assert secrets_in([inside(), policies()]) & {"ChannelsSecretArn"} == set()
        function = FUNCTIONS["NotifyFunction"]
        assert function["VpcConfig"] == {"Ref": "AWS::NoValue"}
        none = {n for n, v in variables(function).items() if v == {"Ref": "AWS::NoValue"}}
        assert none >= {"DB_SECRET_ARN", "DB_HOST", "DB_PORT", "DB_NAME", "DATABASE_URL"}
        assert "ChannelsSecretArn" in json.dumps(function["Environment"])
        assert "SettingsSecretArn" not in json.dumps(function["Environment"])

    def test_only_who_migrates_may_be_the_owner_of_the_tables(self) -> None:
        readers = {
            name
            for name, owner in (resources("AWS::IAM::Role") | policies()).items()
            if "DatabaseSecret" in secrets_in(owner)
        }
        assert readers == {"MigrateRole"}
        told = {n for n, f in FUNCTIONS.items() if "DatabaseSecret" in json.dumps(variables(f))}
        assert told == {"MigrateFunction"}
        assert variables(FUNCTIONS["MigrateFunction"])["MIGRATE_MAKES_ROLE"] == {
            "Fn::If": ["MakesDatabase", "true", "false"]
        }

    def test_only_who_checks_tokens_may_read_their_secret(self) -> None:
        readers = {
            name
            for name, owner in (resources("AWS::IAM::Role") | policies()).items()
            if "TokensSecret" in json.dumps(owner)
        }
        assert readers == {"UploadRole", "AdminRole"}
        told = {
            name
            for name, function in FUNCTIONS.items()
            if {"TOKENS_SECRET_ARN", "JWT_SECRET"} & set(variables(function))
        }
        assert told == {"UploadFunction", "AdminFunction"}

    def test_a_vpc_lets_through_the_secrets_that_somebody_may_read(self) -> None:
        owners = [inside(), policies()]
        read, passed = (secrets_in(part) for part in (owners, resources("AWS::EC2::VPCEndpoint")))
        assert read == passed
        assert len(read) == 5

    def test_nobody_calls_a_function_by_url(self) -> None:
        assert "FunctionUrlConfig" not in json.dumps(template())

    def test_a_vpc_lets_through_what_the_functions_may(self) -> None:
        def allowed(service: str, owners: Any) -> set[str]:
            statements = (
                v
                for _, v in walk(owners)
                if isinstance(v, dict)
                and "Effect" in v
                and v.get("Resource") != CLOUDFORMATION_BUCKET
            )
            actions = (action for found in statements for action in listed(found["Action"]))
            return {action for action in actions if action.startswith(f"{service}:")}

        roles = [inside(), resources("AWS::IAM::ManagedPolicy")]
        endpoints = resources("AWS::EC2::VPCEndpoint")
        for service in ("s3", "sqs", "secretsmanager", "xray"):
            needed = allowed(service, roles)
            assert needed
            assert needed == allowed(service, endpoints)

    def test_each_may_do_with_photos_what_it_has_to(self) -> None:
        owners = resources("AWS::IAM::Role") | resources("AWS::EC2::VPCEndpoint")
        found = {
            name: access
            for name, owner in owners.items()
            if (access := photo_access(owner)) or name in PHOTO_ACCESS
        }
        assert found == PHOTO_ACCESS

    def test_the_network_lets_through_what_the_roles_may_and_no_more(self) -> None:
        functions = {name: access for name, access in PHOTO_ACCESS.items() if "Role" in name}
        needed: dict[str, set[str]] = {}
        for access in functions.values():
            for action, prefixes in access.items():
                needed[action] = needed.get(action, set()) | prefixes
        needed["s3:PutObject"] -= {"incoming"}
        assert needed == PHOTO_ACCESS["S3Endpoint"]

    def test_nobody_who_answers_clients_can_write_what_is_shown(self) -> None:
        for role in ("UploadRole", "AdminRole"):
            assert not PHOTO_ACCESS[role].get("s3:PutObject", set()) & {"kept", "copies", "users"}

    def test_uploads_that_nobody_wants_end_some_day(self) -> None:
        rules = resources("AWS::S3::Bucket")["Photos"]["LifecycleConfiguration"]["Rules"]
        ends = [(rule["Prefix"], rule["ExpirationInDays"]) for rule in rules if "Prefix" in rule]
        assert ends == [("incoming/", 14)]
        # a backlog must not lose photos that wait
        assert QUEUES["Queue"]["MessageRetentionPeriod"] <= 14 * 86_400

    def test_the_migration_reaches_cloudformation_from_the_stacks_own_network(self) -> None:
        statements = resources("AWS::EC2::VPCEndpoint")["S3Endpoint"]["PolicyDocument"]["Statement"]
        answers = [s["Action"] for s in statements if s["Resource"] == CLOUDFORMATION_BUCKET]
        assert answers == ["s3:PutObject"]


class TestFunctions:
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_the_handler_exists(self, name: str) -> None:
        function = FUNCTIONS[name]
        metadata = template()["Resources"][name]["Metadata"]
        if function.get("PackageType") == "Image":
            assert metadata["DockerContext"] == "."
            dockerfile = (ROOT / metadata["Dockerfile"]).read_text(encoding="utf-8")
            stage = dockerfile.partition(f" AS {metadata['DockerBuildTarget']}\n")[2]
            command = re.search(r"^CMD (.*)$", stage.partition("\nFROM ")[0], re.MULTILINE)
            assert command
            (handler,) = json.loads(command[1])
        else:
            handler = function["Handler"]
            assert metadata["BuildProperties"] == {
                "ParentPackageMode": "explicit",
                "ParentPackages": handler.removesuffix(".app.handler"),
            }
            assert function["CodeUri"] == metadata["BuildProperties"]["ParentPackages"].replace(
                ".", "/"
            )
            assert function["Layers"] == [{"Ref": "CoreLayer"}]
        module, _, attribute = handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_its_environment_is_made_of_settings(self, name: str) -> None:
        own = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
        names = {*GLOBALS["Environment"]["Variables"], *own}
        assert names - known_settings() - SECRET_NAMES == set()

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_its_logs_end_some_day(self, name: str) -> None:
        group = f"{name.removesuffix('Function')}Logs"
        assert FUNCTIONS[name]["LoggingConfig"] == {"LogGroup": {"Ref": group}}
        assert group in resources("AWS::Logs::LogGroup")

    def test_all_logs_end_some_day(self) -> None:
        for group in resources("AWS::Logs::LogGroup").values():
            assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}

    def test_all_are_traced(self) -> None:
        assert GLOBALS["Tracing"] == "Active"

    def test_one_python_for_the_layer_and_its_functions(self) -> None:
        layer = template()["Resources"]["CoreLayer"]
        zipped = [f for f in FUNCTIONS.values() if f.get("PackageType") != "Image"]
        versions = {layer["Metadata"]["BuildMethod"]["Ref"], *(f["Runtime"]["Ref"] for f in zipped)}
        assert versions == {"PythonRuntime"}
        assert layer["Properties"]["CompatibleRuntimes"] == [{"Ref": "PythonRuntime"}]
        choice = template()["Parameters"]["PythonRuntime"]
        assert choice["Default"] == choice["AllowedValues"][0] == "python3.13"


def inside() -> dict[str, Any]:
    """Give the roles of functions that are in the network, where there is one.

    The notifier reads no settings but the channels', and CodeDeploy and RDS are no functions.
    """
    apart = {"NotifyRole", "RolloutRole", "ProxyRole"}
    return {n: role for n, role in resources("AWS::IAM::Role").items() if n not in apart}


def policies() -> dict[str, Any]:
    """Give the policies that several roles share."""
    return resources("AWS::IAM::ManagedPolicy")


def variables(function: dict[str, Any]) -> dict[str, Any]:
    """Give a function's environment, that of all functions included."""
    own = function.get("Environment", {}).get("Variables", {})
    return {**GLOBALS["Environment"]["Variables"], **own}


def secrets_in(owners: Any) -> set[str]:
    """Give the names of all secrets that statements on Secrets Manager name."""
    found = [
        json.dumps(statement["Resource"])
        for _, statement in walk(owners)
        if isinstance(statement, dict)
        and listed(statement.get("Action", "")) == ["secretsmanager:GetSecretValue"]
    ]
    return set(re.findall(r'"Ref": "(\w*Secret\w*)"', " ".join(found)))


class TestTimes:
    def test_http_functions_end_before_the_api_gives_up(self) -> None:
        for function in (FUNCTIONS["UploadFunction"], FUNCTIONS["AdminFunction"]):
            wait_ms = function["Events"]["Api"]["Properties"]["TimeoutInMillis"]
            assert function["Timeout"] * 1000 < wait_ms < 30_000

    def test_visibility_is_six_timeouts(self) -> None:
        moderate = FUNCTIONS["ModerateFunction"]
        visibility_s = QUEUES["Queue"]["VisibilityTimeout"]
        assert visibility_s >= 6 * moderate["Timeout"]
        variables = GLOBALS["Environment"]["Variables"]
        assert float(variables["QUEUE_VISIBILITY_S"]) == visibility_s

    def test_the_lease_ends_with_the_function(self) -> None:
        moderate = FUNCTIONS["ModerateFunction"]
        lease_s = float(moderate["Environment"]["Variables"]["JOB_DEADLINE_S"])
        assert lease_s <= moderate["Timeout"]

    def test_rounds_of_the_sweep_do_not_overlap(self) -> None:
        event = FUNCTIONS["SweepFunction"]["Events"]["EveryMinute"]["Properties"]
        assert event["Schedule"] == "rate(1 minute)"
        assert FUNCTIONS["SweepFunction"]["Timeout"] < 60

    def test_a_round_of_the_sweep_is_not_tried_again_and_never_late(self) -> None:
        sweep = FUNCTIONS["SweepFunction"]
        assert sweep["EventInvokeConfig"] == {
            "MaximumRetryAttempts": 0,
            "MaximumEventAgeInSeconds": 60,
        }
        event = sweep["Events"]["EveryMinute"]["Properties"]
        assert event["RetryPolicy"] == {"MaximumRetryAttempts": 0}
        # A reservation fails in accounts whose limit is low; a row in the database does it.
        assert "ReservedConcurrentExecutions" not in sweep

    def test_dead_jobs_live_longer_than_jobs(self) -> None:
        kept = {name: queue["MessageRetentionPeriod"] for name, queue in QUEUES.items()}
        assert kept["DeadQueue"] > kept["Queue"]

    def test_the_queue_gives_up_when_the_service_does(self) -> None:
        policy = QUEUES["Queue"]["RedrivePolicy"]
        assert policy["maxReceiveCount"] == MAX_DELIVERIES

    def test_a_parcels_lease_ends_before_it_comes_again(self) -> None:
        notify, queue = FUNCTIONS["NotifyFunction"], QUEUES["NoticeQueue"]
        assert queue["VisibilityTimeout"] >= max(LEASE_S, 6 * notify["Timeout"])
        assert notify["Timeout"] > PARCEL_S + 15
        assert (
            QUEUES["ReceiptQueue"]["VisibilityTimeout"] >= 6 * FUNCTIONS["SweepFunction"]["Timeout"]
        )
        for function, event in (("NotifyFunction", "Parcels"), ("SweepFunction", "Receipts")):
            source = FUNCTIONS[function]["Events"][event]["Properties"]
            assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


class TestQueueEvents:
    event = FUNCTIONS["ModerateFunction"]["Events"]["Jobs"]["Properties"]

    def test_only_failed_jobs_come_again(self) -> None:
        # A misspelt value passes every linter, and makes one failed job repeat all of them.
        assert self.event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    def test_one_job_at_a_time_up_to_ten(self) -> None:
        parameter = template()["Parameters"]["ModerateBatchSize"]
        assert self.event["BatchSize"] == {"Ref": "ModerateBatchSize"}
        assert (parameter["Default"], parameter["MaxValue"]) == (1, 10)

    def test_concurrency_is_bounded_at_the_source(self) -> None:
        parameter = template()["Parameters"]["ModerateConcurrency"]
        assert self.event["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "ModerateConcurrency"}}
        assert parameter["MinValue"] == 2  # SQS takes no less


class TestConnections:
    """All functions at once, each with its pool, fit into the database of the defaults."""

    def defaults(self, *names: str) -> int:
        return sum(template()["Parameters"][name]["Default"] for name in names)

    def most(self) -> int:
        pool = int(GLOBALS["Environment"]["Variables"]["DB_POOL_SIZE"])
        receipts = FUNCTIONS["SweepFunction"]["Events"]["Receipts"]["Properties"]
        sweeps = 1 + receipts["ScalingConfig"]["MaximumConcurrency"]
        serving = self.defaults("UploadConcurrency", "AdminConcurrency", "ModerateConcurrency")
        # The migration: the owner's two, a patient one each for lease and steps, the application's.
        return int(pool * (serving + sweeps) + 5)

    def test_what_the_defaults_bound(self) -> None:
        assert FUNCTIONS["UploadFunction"]["ReservedConcurrentExecutions"]["Fn::If"][1] == {
            "Ref": "UploadConcurrency"
        }
        assert FUNCTIONS["AdminFunction"]["ReservedConcurrentExecutions"]["Fn::If"][1] == {
            "Ref": "AdminConcurrency"
        }
        assert FUNCTIONS["NotifyFunction"]["VpcConfig"] == {"Ref": "AWS::NoValue"}

    def test_they_fit(self) -> None:
        # Aurora Serverless v2 with 1 unit at most has 189 (from memory); an own small PostgreSQL
        # has 100, of which 3 are its superuser's.
        smallest = template()["Parameters"]["DatabaseMaxCapacity"]["MinValue"] * 189
        assert self.most() <= min(smallest, 100 - 3)
        assert self.most() <= self.defaults("ConnectionsAlarm")

    def test_the_docs_say_the_same(self) -> None:
        docs = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
        assert f"= {self.most()} at most" in docs
        described = template()["Parameters"]["ConnectionsAlarm"]["Description"]
        assert f"need {self.most()} at most" in described


def test_every_preset_can_be_chosen() -> None:
    assert template()["Parameters"]["Policy"]["AllowedValues"] == list(PRESETS)


def test_the_image_has_the_second_model_that_can_be_chosen() -> None:
    choice = template()["Parameters"]["SecondModel"]
    assert FUNCTIONS["ModerateFunction"]["Environment"]["Variables"]["SECOND_MODEL"] == {
        "Ref": "SecondModel"
    }
    assert choice["AllowedValues"] == [choice["Default"], "none"]
    dockerfile = (ROOT / "functions/moderate/Dockerfile").read_text(encoding="utf-8")
    assert f"SECOND_MODEL={choice['Default']} " in dockerfile
    assert dockerfile.count(f"/opt/second {choice['Default']}\n") == 2  # both images get it


def test_the_third_seat_is_empty_until_somebody_fills_it() -> None:
    choice = template()["Parameters"]["ThirdModel"]
    assert choice["Default"] == "none"
    assert FUNCTIONS["ModerateFunction"]["Environment"]["Variables"]["THIRD_MODEL"] == {
        "Ref": "ThirdModel"
    }
    (folder,) = set(choice["AllowedValues"]) - {"none"}
    dockerfile = (ROOT / "functions/moderate/Dockerfile").read_text(encoding="utf-8")
    assert dockerfile.count(f"{folder} {folder}\n") == 2  # both images get it


@pytest.mark.parametrize("look", template()["Parameters"]["Look"]["AllowedValues"])
def test_every_look_can_be_chosen_and_none(look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = FUNCTIONS["ModerateFunction"]["Environment"]["Variables"]
    assert variables["LOOK"] == {"Ref": "Look"}
    assert template()["Parameters"]["Look"]["Default"] == ""
    monkeypatch.setenv("LOOK", look)
    settings = s.read(s.ModelSettings, model_dir="/opt/model", second_model="/opt/second")
    assert settings.look == (look or None)


def test_no_look_is_left_out() -> None:
    looks = get_args(Look)
    assert set(template()["Parameters"]["Look"]["AllowedValues"]) == {"", *looks}


def test_whoever_reads_the_key_of_compreface_knows_its_address() -> None:
    # The key comes with the secret, to all functions; one without the other is refused.
    assert GLOBALS["Environment"]["Variables"]["COMPREFACE_URL"] == {"Ref": "ComprefaceUrl"}


def test_the_docs_show_every_sample_event() -> None:
    docs = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    events = [path.name for path in (ROOT / "events").iterdir()]
    assert [name for name in events if f"events/{name}" not in docs] == []


class TestData:
    def test_the_bucket_is_closed(self) -> None:
        (bucket,) = resources("AWS::S3::Bucket").values()
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        (policy,) = resources("AWS::S3::BucketPolicy").values()
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", TLS_ONLY)

    def test_deleted_photos_are_gone(self) -> None:
        (bucket,) = resources("AWS::S3::Bucket").values()
        assert "VersioningConfiguration" not in bucket

    def test_what_holds_data_survives_the_stack(self) -> None:
        keeping = {
            "AWS::S3::Bucket": "RetainExceptOnCreate",
            "AWS::SecretsManager::Secret": "RetainExceptOnCreate",
            "AWS::RDS::DBCluster": "Snapshot",
        }
        # What a first deployment that fails made goes with it: no orphaned secret for each try.
        for name, resource in template()["Resources"].items():
            if resource["Type"] in keeping:
                assert resource["DeletionPolicy"] == keeping[resource["Type"]], name

    def test_queues_are_encrypted(self) -> None:
        assert all(queue["SqsManagedSseEnabled"] for queue in QUEUES.values())


class TestRollout:
    """New versions of functions get requests and jobs little by little, and go back on alarms."""

    @pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"MigrateFunction"}))
    def test_whatever_serves_moves_by_its_alias(self, name: str) -> None:
        function = FUNCTIONS[name]
        assert function["AutoPublishAlias"] == "live"
        # Its hash alone decides whether there is a new version: local.release makes it.
        assert function["AutoPublishCodeSha256"] == {"Ref": "Release"}
        assert function["VersionDeletionPolicy"] == "Delete"
        preference = function["DeploymentPreference"]
        assert preference["Type"] == {"Ref": "Rollout"}
        assert preference["Role"] == {"Fn::GetAtt": "RolloutRole.Arn"}
        used, alarms, none = preference["Alarms"]["Fn::If"]
        assert (used, none) == ("RollsBack", [{"Ref": "AWS::NoValue"}])
        assert {alarm["Ref"] for alarm in alarms} == {"ErrorsAlarm", "ServerErrorsAlarm"}

    def test_the_migration_runs_the_newest_code(self) -> None:
        assert "AutoPublishAlias" not in FUNCTIONS["MigrateFunction"]

    def test_its_role_reaches_what_it_moves_and_no_more(self) -> None:
        (policy,) = resources("AWS::IAM::Role")["RolloutRole"]["Policies"]
        moves, watches = policy["PolicyDocument"]["Statement"]
        serving = set(FUNCTIONS) - {"MigrateFunction"}
        assert moves["Resource"] == [
            resource
            for name in FUNCTIONS
            if name in serving
            for resource in ({"Fn::GetAtt": f"{name}.Arn"}, {"Fn::Sub": f"${{{name}.Arn}}:live"})
        ]
        assert watches["Action"] == "cloudwatch:DescribeAlarms"

    def test_the_database_can_be_taken_back_until_it_is_complete(self) -> None:
        protection = template()["Parameters"]["DatabaseProtection"]
        assert protection["Default"] == "false"
        database = resources("AWS::RDS::DBCluster")["Database"]
        assert database["DeletionProtection"] == {"Ref": "DatabaseProtection"}
        assert 'on_failure = "DELETE"' in (ROOT / "samconfig.toml").read_text("utf-8")


#: Properties that give something a name of its own in the account, and what they may be.
_NAMES = re.compile(r"/(\w*Name|Name)$")
#: Names that belong to something else, or are none of the account's.
_NOT_NAMES = {
    *(
        "TargetGroupName",
        "FunctionName",
        "EngineName",
        "MetricName",
        "QueueName",
        "ServiceName",
        "DatabaseName",
    ),
    *("PolicyName", "DBClusterParameterGroupName", "DBSubnetGroupName", "AttributeName"),
}


def test_two_stacks_share_no_name() -> None:
    found = 0
    for path, value in walk(template()["Resources"]):
        match = _NAMES.search(path)
        if not match or match[1] in _NOT_NAMES or re.search("/(Dimensions|Rules|Origins)/", path):
            continue
        # Of another resource, or chosen by whoever deploys.
        if isinstance(value, dict) and "Ref" in value and "AWS::" not in value["Ref"]:
            continue
        found += 1
        assert re.search("AWS::Stack(Name|Id)", json.dumps(value)), f"all stacks share {path}"
    assert found >= len(resources("AWS::Logs::LogGroup"))
    for name, repeated in {
        "AWS::Lambda::EventInvokeConfig": "FunctionName",
        "AWS::RDS::DBCluster": "DBClusterParameterGroupName",
    }.items():
        assert all("Ref" in of[repeated] for of in resources(name).values())


class TestEdge:
    """What stands in front of the API, on demand."""

    def condition(self, name: str) -> str:
        found = template()["Resources"][name]["Condition"]
        assert isinstance(found, str)
        return found

    def test_the_domain_leads_to_one_of_both(self) -> None:
        conditions = template()["Conditions"]
        assert conditions["DomainOfApi"]["Fn::And"][1] == {"Fn::Not": [{"Condition": "HasEdge"}]}
        assert {self.condition(n) for n in ("ApiDomain", "ApiOnDomain")} == {"DomainOfApi"}
        distribution = resources("AWS::CloudFront::Distribution")["Distribution"]
        assert self.condition("Distribution") == "HasEdge"
        assert distribution["DistributionConfig"]["Aliases"]["Fn::If"][0] == "HasDomain"

    def test_nothing_is_cached_and_tokens_pass(self) -> None:
        config = resources("AWS::CloudFront::Distribution")["Distribution"]["DistributionConfig"]
        behaviour = config["DefaultCacheBehavior"]
        # AWS's ids of CachingDisabled and AllViewerExceptHostHeader.
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
        assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
        assert {"PUT", "POST", "DELETE"} <= set(behaviour["AllowedMethods"])

    def test_each_address_has_a_limit(self) -> None:
        acl = resources("AWS::WAFv2::WebACL")["WebAcl"]
        (rate,) = [r for r in acl["Rules"] if "RateBasedStatement" in r["Statement"]]
        assert rate["Statement"]["RateBasedStatement"] == {
            "AggregateKeyType": "IP",
            "Limit": {"Ref": "EdgeRequests"},
        }
        assert rate["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429
        assert acl["Scope"] == "CLOUDFRONT"
        (assertion,) = template()["Rules"]["EdgeInItsRegion"]["Assertions"]
        assert "us-east-1" in json.dumps(assertion["Assert"])

    def test_a_key_of_ones_own_is_for_photos_secrets_and_logs(self) -> None:
        key = {"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
        for kind in ("AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"):
            assert all(resource["KmsKeyId"] == key for resource in resources(kind).values())
        (bucket,) = resources("AWS::S3::Bucket").values()
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": {"Fn::If": ["HasKey", "aws:kms", "AES256"]},
            "KMSMasterKeyID": key,
        }
        (statement,) = [
            part
            for _, part in walk(policies())
            if isinstance(part, dict) and part.get("Sid") == "UseKey"
        ]
        assert statement["Resource"] == {"Ref": "KmsKeyArn"}
        # Another key would make the database anew.
        assert "KmsKeyId" not in resources("AWS::RDS::DBCluster")["Database"]


def test_every_metric_of_ours_is_that_of_this_stack() -> None:
    variables = GLOBALS["Environment"]["Variables"]
    assert variables["METRICS_STACK"] == {"Ref": "AWS::StackName"}
    for _, part in walk(template()["Resources"]):
        if isinstance(part, dict) and part.get("Namespace") == "Photogate":
            dimensions = {d["Name"]: d["Value"] for d in part["Dimensions"]}
            assert dimensions["stack"] == {"Ref": "AWS::StackName"}, part
    (dashboard,) = resources("AWS::CloudWatch::Dashboard").values()
    searches = re.findall(r"SEARCH\('([^']*)'", dashboard["DashboardBody"]["Fn::Sub"][0])
    assert len(searches) == 2
    assert all("{Photogate," in s and "${AWS::StackName}" in s for s in searches)


class TestAlarms:
    @pytest.mark.parametrize("name", resources("AWS::CloudWatch::Alarm"))
    def test_somebody_hears_it(self, name: str) -> None:
        alarm = resources("AWS::CloudWatch::Alarm")[name]
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]
        assert alarm["AlarmDescription"]
        assert alarm["TreatMissingData"] in ("notBreaching", "breaching")


def known_settings() -> set[str]:
    """The environment variables that ``photogate.settings`` reads."""
    models = [model for model in vars(s).values() if isinstance(model, type)]
    return {
        name.upper()
        for model in models
        if issubclass(model, s.LogSettings)
        for name in model.model_fields
    }

"""`photogate stack`: what `make deploy` and `make destroy` ask of CloudFormation, here moto."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.functions.test_migrate_stack import AWS, PHOTOGATE
from tests.functions.test_migrate_stack import STACK as MIGRATING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# Each starts the command anew, some twice, beside a server that plays AWS.
pytestmark = pytest.mark.slow

#: As much of the template as the commands ask for.
STACK = {
    "Parameters": {
        "DatabaseProtection": {"Type": "String", "Default": "false"},
        "LogLevel": {"Type": "String", "Default": "INFO"},
    },
    "Resources": {
        "Photos": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "RetainExceptOnCreate"},
        "Topic": {"Type": "AWS::SNS::Topic"},
    },
}


@pytest.fixture
def cloudformation(moto_server: str) -> Iterator[CloudFormationClient]:
    with closing(client("cloudformation", moto_server)) as formation:
        for name in ("ours", "beside"):
            formation.create_stack(
                StackName=name,
                TemplateBody=json.dumps(STACK),
                Parameters=[{"ParameterKey": "LogLevel", "ParameterValue": "DEBUG"}],
            )
        yield formation
        for name in ("ours", "beside"):
            formation.delete_stack(StackName=name)


def client(service: Any, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=AWS["AWS_DEFAULT_REGION"],
        aws_access_key_id=AWS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=AWS["AWS_SECRET_ACCESS_KEY"],
    )


def parameters(formation: CloudFormationClient, stack: str) -> dict[str, str]:
    (found,) = formation.describe_stacks(StackName=stack)["Stacks"]
    return {p["ParameterKey"]: p["ParameterValue"] for p in found["Parameters"]}


@pytest.fixture
def command(
    moto_server: str, cloudformation: CloudFormationClient
) -> Callable[..., tuple[int, str]]:
    """Run `photogate stack …`; gives its status and what it said."""

    def run(*words: str, typed: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [PHOTOGATE, "stack", *words],
            env={**os.environ, **AWS, "AWS_ENDPOINT_URL": moto_server},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


Command = Callable[..., tuple[int, str]]


def test_the_database_is_protected_and_nothing_else_changed(
    command: Command, cloudformation: CloudFormationClient
) -> None:
    assert command("protect", "ours") == (0, "· the database is protected from deletion\n")
    assert parameters(cloudformation, "ours") == {"DatabaseProtection": "true", "LogLevel": "DEBUG"}
    assert parameters(cloudformation, "beside")["DatabaseProtection"] == "false"
    assert command("protect", "ours") == (0, "")


def test_destroying_asks_and_says_what_is_kept(
    command: Command, cloudformation: CloudFormationClient
) -> None:
    assert command("protect", "ours")[0] == 0
    status, said = command("destroy", "ours", typed="beside\n")
    assert status == 1
    assert "the photos: bucket ours-photos-" in said
    assert parameters(cloudformation, "ours")["DatabaseProtection"] == "true"
    status, said = command("destroy", "ours", typed="ours\n")
    assert (status, "ours is deleted" in said) == (0, True)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName="ours")
    assert cloudformation.describe_stacks(StackName="beside")["Stacks"]


def test_who_is_not_asked_sees_what_is_kept(
    command: Command, cloudformation: CloudFormationClient
) -> None:
    status, said = command("destroy", "ours", "--yes")
    assert (status, "Type the" in said) == (0, False)
    assert "the photos: bucket ours-photos-" in said


def test_the_digest_knows_what_is_deployed(command: Command, tmp_path: Path) -> None:
    """`ours` runs with LogLevel=DEBUG; `none` is not deployed yet."""
    template = {"Parameters": STACK["Parameters"], "Resources": {}}
    (tmp_path / "template.yaml").write_text(json.dumps(template))

    def digest(*words: str) -> str:
        status, said = command("release", *words, "--build", str(tmp_path))
        assert (status, len(said)) == (0, 41)
        return said

    assert digest("ours") == digest("none", "LogLevel=DEBUG") == digest("ours", "LogLevel=DEBUG")
    assert digest("ours") != digest("none")
    status, said = command("release", "ours", "LogLevle=DEBUG", "--build", str(tmp_path))
    assert (status, said) == (1, "photogate: template.yaml has no parameter LogLevle\n")


def test_old_images_go(command: Command, moto_server: str) -> None:
    with (
        closing(client("ecr", moto_server)) as registry,
        closing(client("cloudformation", moto_server)) as formation,
    ):
        repository = "photogateabc/moderatefunction1repo"
        registry.create_repository(repositoryName=repository)
        image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/{repository}:moderate-1-moderate"
        properties = {
            "FunctionName": "moderate-1",
            "PackageType": "Image",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ImageUri": image},
        }
        formation.create_stack(
            StackName="pictures",
            TemplateBody=json.dumps(
                {
                    "Resources": {
                        "Role": MIGRATING["Resources"]["MigrateRole"],
                        "ModerateFunction": {
                            "Type": "AWS::Lambda::Function",
                            "Properties": properties,
                        },
                    }
                }
            ),
        )
        try:
            said = command("tidy", "pictures")
            assert said == (0, f"· of {repository} the newest 10 images stay\n")
            kept = registry.get_lifecycle_policy(repositoryName=repository)
            (rule,) = json.loads(kept["lifecyclePolicyText"])["rules"]
            assert (rule["selection"]["countNumber"], rule["action"]) == (10, {"type": "expire"})
        finally:
            formation.delete_stack(StackName="pictures")
            registry.delete_repository(repositoryName=repository, force=True)


@pytest.mark.parametrize("what", ["protect", "destroy", "tidy"])
def test_a_stack_that_is_none_is_said(command: Command, what: str) -> None:
    status, said = command(what, "another")
    assert status == 1
    assert "another" in said
    assert said.count("\n") == 1

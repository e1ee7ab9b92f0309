"""What the command line asks of a deployed stack, with the AWS credentials of the shell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from photogate.errors import ConfigError

#: Longer than the function's 900 s. No call is repeated: it would run beside the first.
_PATIENT = Config(read_timeout=960, retries={"total_max_attempts": 1}, tcp_keepalive=True)


def migrate_stack(stack: str, progress: Callable[[str], None]) -> list[str]:
    """Call the stack's migrate function until it has finished; gives what it applied.

    Args:
        stack: its name.
        progress: told where a call ended that could not finish.

    Raises:
        ConfigError: it could not be called, or the migration failed.
    """
    applied: list[str] = []
    try:
        found = boto3.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId="MigrateFunction"
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        functions = boto3.client("lambda", config=_PATIENT)
        while True:
            done = functions.invoke(FunctionName=name, Payload=b"{}")
            answer = json.loads(done["Payload"].read())
            # The call itself succeeds also when the function failed.
            if "FunctionError" in done:
                said = answer.get("errorMessage", answer)
                raise ConfigError(f"the migration of {stack} failed: {said}")
            applied += answer["applied"]
            if "unfinished" not in answer:
                return applied
            progress(answer["unfinished"])
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(f"the stack {stack} was not migrated: {error}") from error


#: What the template keeps when its stack is deleted, and how to speak of it.
_KEPT = {
    "AWS::S3::Bucket": "the photos: bucket {}",
    "AWS::SecretsManager::Secret": "the secret {}",
    "AWS::RDS::DBCluster": "a snapshot of the database {}",
}


def stack_parameters(stack: str) -> dict[str, str]:
    """Give a stack's parameters by name; none when there is no such stack.

    Raises:
        ConfigError: AWS could not be asked.
    """
    with _told(f"the stack {stack} cannot be read"):
        try:
            (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            # CloudFormation has no code of its own for it.
            if "does not exist" in str(error):
                return {}
            raise
        parameters = found.get("Parameters", [])
        return {p["ParameterKey"]: p["ParameterValue"] for p in parameters}


def set_parameters(stack: str, values: Mapping[str, str]) -> bool:
    """Change parameters of a stack and nothing else; waits until it is done.

    Returns:
        Whether there was something to change.

    Raises:
        ConfigError: there is no such stack or parameter, or the change failed.
    """
    present = stack_parameters(stack)
    if missing := sorted(set(values) - set(present)):
        raise ConfigError(f"there is no stack {stack} with the parameter {', '.join(missing)}")
    if all(present[name] == value for name, value in values.items()):
        return False
    cloudformation = boto3.client("cloudformation")
    with _told(f"the stack {stack} was not changed"):
        try:
            cloudformation.update_stack(
                StackName=stack,
                UsePreviousTemplate=True,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": values[name]}
                    if name in values
                    else {"ParameterKey": name, "UsePreviousValue": True}
                    for name in present
                ],
            )
        except ClientError as error:
            # A parameter that no resource uses, for there is no database.
            if "No updates" in str(error):
                return False
            raise
        cloudformation.get_waiter("stack_update_complete").wait(StackName=stack)
    return True


def keep_images(stack: str, count: int) -> str:
    """Let the repository of the moderate function's image forget all but its newest ones.

    Args:
        stack: its name.
        count: images that stay.

    Returns:
        The repository's name.

    Raises:
        ConfigError: there is no such stack, or AWS refuses.
    """
    rule = {
        "rulePriority": 1,
        "description": f"the newest {count}",
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": count,
        },
        "action": {"type": "expire"},
    }
    with _told(f"the images of {stack} were left as they are"):
        found = boto3.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId="ModerateFunction"
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        image = boto3.client("lambda").get_function(FunctionName=name)["Code"]["ImageUri"]
        repository = image.partition("/")[2].partition("@")[0].partition(":")[0]
        boto3.client("ecr").put_lifecycle_policy(
            repositoryName=repository, lifecyclePolicyText=json.dumps({"rules": [rule]})
        )
    return repository


def kept_resources(stack: str) -> list[str]:
    """Say, a line each, what outlives a stack."""
    with _told(f"the stack {stack} cannot be read"):
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
        found = [
            r for page in pages.paginate(StackName=stack) for r in page["StackResourceSummaries"]
        ]
    return [
        _KEPT[resource["ResourceType"]].format(resource["PhysicalResourceId"])
        for resource in found
        if resource["ResourceType"] in _KEPT
    ]


def delete_stack(stack: str) -> None:
    """Delete a stack, and wait until it is gone.

    Raises:
        ConfigError: it could not be, or not wholly.
    """
    cloudformation = boto3.client("cloudformation")
    with _told(f"the stack {stack} was not deleted"):
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except WaiterError as error:
        raise ConfigError(f"{what}: {error}; its events tell why") from error
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(f"{what}: {error}") from error

"""What the command line asks of a deployed stack, with the AWS credentials of the shell."""

from __future__ import annotations

import json

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from photogate.errors import ConfigError

#: Longer than the function's 900 s. It is called once: a second call would run beside the first.
_PATIENT = Config(read_timeout=960, retries={"total_max_attempts": 1}, tcp_keepalive=True)


def migrate_stack(stack: str) -> list[str]:
    """Call the stack's migrate function once, and give the names of what it applied.

    Raises:
        ConfigError: it could not be called, or the migration failed.
    """
    try:
        found = boto3.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId="MigrateFunction"
        )
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        done = boto3.client("lambda", config=_PATIENT).invoke(FunctionName=name, Payload=b"{}")
        answer = json.loads(done["Payload"].read())
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(f"the stack {stack} was not migrated: {error}") from error
    # The call itself succeeds also when the function failed.
    if "FunctionError" in done:
        raise ConfigError(f"the migration of {stack} failed: {answer.get('errorMessage', answer)}")
    return list(answer["applied"])

"""What the command line asks of a deployed stack, with the AWS credentials of the shell."""

from __future__ import annotations

import json
from collections.abc import Callable

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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

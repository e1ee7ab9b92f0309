"""Settings that are kept in AWS Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from photogate.errors import ConfigError


def fetch(arn: str, *, endpoint: str | None = None) -> dict[str, str]:
    """Read one secret, a JSON object of texts and numbers.

    Raises:
        ConfigError: it cannot be read, or is not such an object.
    """
    timeouts = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3})
    try:
        client = boto3.client("secretsmanager", endpoint_url=endpoint, config=timeouts)
        document: Any = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError, KeyError) as error:
        raise ConfigError(f"the secret {arn} cannot be read: {error}") from error
    except ValueError as error:
        raise ConfigError(f"the secret {arn} must hold a JSON object") from error
    if not isinstance(document, dict):
        raise ConfigError(f"the secret {arn} must hold a JSON object")
    return {str(name): str(value) for name, value in document.items()}

"""Reads settings from the environment; what every process has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from photogate.errors import ConfigError
from photogate.redaction import remember

#: Read before any model: secrets in Secrets Manager that hold settings themselves.
SECRET_NAMES = frozenset(
    {"PHOTOGATE_SECRET_ARN", "TOKENS_SECRET_ARN", "DB_SECRET_ARN", "MIGRATE_DB_SECRET_ARN"}
)


class LogSettings(BaseSettings):
    """What every process has."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        # A traceback would show all that was read, passwords included.
        hide_input_in_errors=True,
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )
    metrics_stack: str | None = Field(
        None,
        description="Name of this installation, as the dimension `stack` of every metric, where"
        " several write to one place.",
    )


S = TypeVar("S", bound=BaseSettings)


#: Settings that the environment does not show (any more), by name.
_kept: dict[str, str] = {}


def setting_names() -> set[str]:
    """Give the names of all environment variables that are settings of Photogate."""
    return {name.upper() for model in _models() for name in model.model_fields} | SECRET_NAMES


def secret_names(*models: type[LogSettings]) -> set[str]:
    """Give the names of the settings of ``models``, or of all, that are secrets."""
    return {
        name.upper()
        for model in models or _models()
        for name, field in model.model_fields.items()
        if SecretStr in _types_in(field.annotation)
    }


def _models() -> list[type[LogSettings]]:
    """Give the models of this package, which has imported all its modules by now."""
    return [LogSettings, *_made_of(LogSettings)]


def _made_of(model: type[LogSettings]) -> Iterator[type[LogSettings]]:
    for made in model.__subclasses__():
        if made.__module__.startswith(__package__):
            yield made
            yield from _made_of(made)


def _types_in(annotation: Any) -> set[Any]:
    return {annotation}.union(*map(_types_in, get_args(annotation)))


def keep(found: Mapping[str, str]) -> None:
    """Let ``read`` find these settings, by name, where the environment does not say otherwise."""
    _kept.update(found)


def forget() -> None:
    """Take ``keep`` back."""
    _kept.clear()


def read(model: type[S], **known: Any) -> S:
    """Read ``model`` from the environment, then from what was kept; ``known`` wins over both.

    Raises:
        ConfigError: one line that names every setting that is missing or wrong.
    """
    kept = {
        name.lower(): value
        for name, value in _kept.items()
        if name.lower() in model.model_fields and value and not os.environ.get(name)
    }
    try:
        settings = model(**(kept | known))
    except ValidationError as error:
        found = []
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            message = problem["msg"].removeprefix("Value error, ")
            found.append(f"{name}: {message}" if name else message)
        raise ConfigError("; ".join(found)) from error
    for _, value in settings:
        if isinstance(value, SecretStr):
            remember(value.get_secret_value())
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        remember(os.environ.get(name, ""))
    return settings

"""Policies as files: the presets beside this module, and those that an operator writes.

``document`` is the language, ``source`` reads YAML and remembers lines, and what is wrong with
the rules themselves is found by ``photogate.domain.policy_faults``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from photogate.domain.policy import Policy
from photogate.domain.policy_faults import Fault, Place, faults
from photogate.errors import ConfigError
from photogate.policies.document import PolicyDocument
from photogate.policies.source import NotYaml, Source, parse

_FOLDER = files("photogate.policies")
#: Names of the policies that are packaged with this version.
PRESETS = tuple(
    sorted(
        item.name.removesuffix(".yaml") for item in _FOLDER.iterdir() if item.name.endswith(".yaml")
    )
)
_ENDINGS = (".yaml", ".yml")


def load(choice: str) -> Policy:
    """Give the policy that the setting ``POLICY`` means: a preset's name, or a file's path.

    Raises:
        ConfigError: there is none, or it is not sound; names file, line, field and way out.
    """
    if choice in PRESETS:
        return preset(choice)
    path = Path(choice)
    if path.suffix not in _ENDINGS:
        raise ConfigError(
            f"POLICY: there is no preset {choice!r}; choose {', '.join(PRESETS)}, or give a file"
            f" whose name ends in {_ENDINGS[0]}"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"POLICY: cannot read {choice}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"POLICY: {choice} is not UTF-8: save it as UTF-8") from error
    return read(text, choice)


@cache
def preset(name: str) -> Policy:
    """Give a packaged policy. Its version tells its content, so that its id needs no hash."""
    text = _FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return replace(read(text, f"{name}.yaml"), content=None)


def read(text: str, file: str) -> Policy:
    """Read a policy's YAML; ``file`` is what messages call it.

    Raises:
        ConfigError: it is not sound; one line with everything that is wrong.
    """
    try:
        source = parse(text)
    except NotYaml as error:
        raise ConfigError(f"{file}, line {error.line}: {error}") from error
    if repeated := list(source.repeated()):
        raise _refused(file, source, repeated)
    try:
        policy = PolicyDocument.model_validate(source.values).policy()
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise _refused(file, source, (_shape(problem) for problem in problems)) from error
    if found := list(faults(policy)):
        raise _refused(file, source, found)
    return policy


def _shape(problem: Any) -> Fault:
    """Say in plain words what pydantic says of a document's shape."""
    words = {
        "missing": "is missing",
        "extra_forbidden": "there is no such field; docs/policies.md lists them",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return Fault(place=problem["loc"], words=words)


def _refused(file: str, source: Source, found: Iterable[Fault]) -> ConfigError:
    lines = ((source.line(fault.place), fault) for fault in found)
    return ConfigError(
        "; ".join(f"{file}, line {line}, {_field(f.place)}{f.words}" for line, f in lines)
    )


def _field(place: Place) -> str:
    """Name a field as people do: ``rule 3, reject_above: ``."""
    if place[:1] == ("rules",) and len(place) > 1 and isinstance(place[1], int):
        rest = f", {'.'.join(map(str, place[2:]))}" if place[2:] else ""
        return f"rule {place[1] + 1}{rest}: "
    return f"{place[0]}: " if place else ""

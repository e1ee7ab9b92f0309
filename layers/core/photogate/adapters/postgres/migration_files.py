"""The files of ``photogate/migrations``, and the steps that they are made of.

How a file is written stands in docs/develop.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from photogate.errors import ConfigError

_MARKER = re.compile(
    r"-- step: (?P<name>[^()]+?)"
    r"(?: \((?:(?P<outside>outside a transaction)|in batches over (?P<table>\w+))\))?"
)
#: The one step of a file that marks none.
_WHOLE = "all of it"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of a migration that is done as a whole or not at all."""

    #: Once in its file; what is done is noted under it.
    name: str
    sql: str
    #: PostgreSQL refuses some statements inside one, such as CREATE INDEX CONCURRENTLY.
    in_transaction: bool = True
    #: The table that the statement walks through, a commit for each part of it.
    table: str | None = None


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One numbered file of ``photogate/migrations``."""

    number: int
    name: str
    sql: str

    @cached_property
    def steps(self) -> list[Step]:
        """Give its steps, in order.

        Raises:
            ConfigError: a marker is not understood, or a name comes twice.
        """
        parts: list[tuple[re.Match[str] | None, list[str]]] = [(None, [])]
        for line in self.sql.splitlines():
            if line.startswith("-- step:"):
                marker = _MARKER.fullmatch(line.rstrip())
                if marker is None:
                    raise ConfigError(f"migration {self.name}: cannot read {line!r}")
                parts.append((marker, []))
            else:
                parts[-1][1].append(line)
        if len(parts) == 1:
            return [Step(name=_WHOLE, sql=self.sql)]
        (_, head), *marked = parts
        if any(line.strip() and not line.startswith("--") for line in head):
            raise ConfigError(f"migration {self.name}: statements before the first step")
        steps = [_step(marker, "\n".join(lines)) for marker, lines in marked if marker]
        if len({step.name for step in steps}) < len(steps):
            raise ConfigError(f"migration {self.name}: two steps have the same name")
        return steps


def shipped() -> list[Migration]:
    """Give the migrations of this version, in order."""
    found = [
        Migration(number=int(f.name[:4]), name=f.name, sql=f.read_text(encoding="utf-8"))
        for f in files("photogate").joinpath("migrations").iterdir()
        if f.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.number)


def _step(marker: re.Match[str], sql: str) -> Step:
    return Step(
        name=marker["name"],
        sql=sql,
        in_transaction=marker["outside"] is None,
        table=marker["table"],
    )

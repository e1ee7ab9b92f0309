"""YAML with the line of every field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

from photogate.domain.policy_faults import Fault, Place


@dataclass(frozen=True, kw_only=True)
class Source:
    """A YAML document as plain values that still knows where each of them stands."""

    #: Dicts, lists and scalars.
    values: Any
    root: Any

    def line(self, place: Place) -> int:
        """Give the line, from 1, of a field, or of the nearest field that contains it."""
        node, line = self.root, self.root.start_mark.line
        for step in place:
            if isinstance(node, yaml.MappingNode):
                found = [(k, v) for k, v in node.value if k.value == step]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                found = [(item, item) for item in node.value[step : step + 1]]
            else:
                found = []
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        return int(line) + 1

    def repeated(self) -> Iterator[Fault]:
        """Find fields that are given twice, of which YAML would drop one in silence."""
        yield from _repeated(self.root, ())


class NotYaml(ValueError):
    """The text cannot be read; ``line`` is where, from 1."""

    def __init__(self, words: str, line: int) -> None:
        super().__init__(words)
        self.line = line


def parse(text: str) -> Source:
    """Read one YAML document.

    Raises:
        NotYaml: it is not YAML, or uses more of YAML than plain values.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1
                raise NotYaml("uses an alias (*): write the values out", line)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(f"is no YAML: {error.reason}", line) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotYaml(f"is no YAML: {error.problem}", mark.line + 1 if mark else 1) from error
    except NotYaml:
        raise
    except ValueError as error:  # a date that does not exist
        raise NotYaml(f"is no YAML: {error}", 1) from error
    if root is None:
        raise NotYaml("is empty", 1)
    return Source(values=values, root=root)


def _repeated(node: Any, place: Place) -> Iterator[Fault]:
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        for number, (key, value) in enumerate(node.value):
            if key.value in names[:number]:
                line = key.start_mark.line + 1
                yield Fault(
                    place=(*place, key.value), words=f"is given twice (again in line {line})"
                )
            yield from _repeated(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _repeated(item, (*place, number))

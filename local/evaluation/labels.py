"""What people say should happen to pictures: one folder for each label, or a CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from photogate.errors import ConfigError


class Expected(StrEnum):
    """What should happen to a photo."""

    APPROVE = "approve"
    REJECT = "reject"
    #: Whatever happens is no mistake; it is counted all the same.
    EITHER = "either"


#: Labels that say by themselves what should happen.
_SPEAKING = {
    "approve": Expected.APPROVE,
    "approved": Expected.APPROVE,
    "reject": Expected.REJECT,
    "rejected": Expected.REJECT,
    "either": Expected.EITHER,
}


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One picture, and what somebody says of it."""

    path: Path
    #: As the CSV or the folder calls it.
    name: str
    label: str
    expected: Expected


@dataclass(kw_only=True)
class Labels:
    """All pictures of a source."""

    pictures: list[Labelled] = field(default_factory=list)
    #: One line for each that is left out, and why.
    problems: list[str] = field(default_factory=list)


def expectations(given: Sequence[str]) -> dict[str, Expected]:
    """Read ``label=approve``, ``label=reject`` and ``label=either``.

    Raises:
        ConfigError: it says something else.
    """
    found = {}
    for text in given:
        label, equals, expected = text.partition("=")
        if not (label and equals) or expected not in set(Expected):
            raise ConfigError(
                f"--expect {text}: write LABEL=approve, LABEL=reject or LABEL=either, for"
                " example --expect cats=approve"
            )
        found[label] = Expected(expected)
    return found


def read_labels(source: Path, expected: Mapping[str, Expected]) -> Labels:
    """Give the pictures of a folder with a folder for each label, or of a CSV.

    Args:
        source: the folder; or a CSV whose first row names the columns ``file`` and ``label``,
            with files relative to its own folder.
        expected: by label; a few labels speak for themselves (``approve``, ``reject`` …).

    Raises:
        ConfigError: there is no such source, or nothing in it.
    """
    known = {**_SPEAKING, **expected}
    if source.is_dir():
        rows = list(_of_folder(source))
        empty = f"{source}: there are no pictures in folders of it, one folder for each label"
    elif source.is_file():
        rows = list(_of_csv(source))
        empty = f"{source}: there is no row below the names of the columns"
    else:
        raise ConfigError(f"{source}: there is no such folder or CSV")
    if not rows:
        raise ConfigError(empty)
    labels = Labels()
    for name, path, label in rows:
        if label not in known:
            labels.problems.append(
                f"{name}: the label {label!r} does not say what should happen:"
                f" --expect {label or 'LABEL'}=approve, reject or either"
            )
        elif not path.is_file():
            labels.problems.append(f"{name}: there is no such file")
        else:
            labels.pictures.append(
                Labelled(path=path, name=name, label=label, expected=known[label])
            )
    return labels


def _of_folder(folder: Path) -> Iterator[tuple[str, Path, str]]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and len(parts) > 1 and not any(p.startswith(".") for p in parts):
            yield str(path.relative_to(folder)), path, parts[0]


def _of_csv(source: Path) -> Iterator[tuple[str, Path, str]]:
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not {"file", "label"} <= set(rows.fieldnames or ()):
                raise ConfigError(
                    f"{source}: the first row must name the columns file and label, not"
                    f" {', '.join(rows.fieldnames or ()) or 'nothing'}"
                )
            for row in rows:
                name = (row["file"] or "").strip()
                yield name, source.parent / name, (row["label"] or "").strip()
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{source}: this is no CSV in UTF-8 ({error})") from error

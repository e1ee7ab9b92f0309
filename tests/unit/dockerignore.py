"""Which files of a build's context ``.dockerignore`` lets through, as the builder decides it.

The rules are those of the Docker documentation ("Building context", "Filename matching"): the
last line that matches a path or one of its folders counts, ``!`` lets it in again, ``*`` and
``?`` match within one name, ``**`` matches any number of folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One line of the file."""

    #: Matches a whole path.
    pattern: re.Pattern[str]
    #: Begins with ``!``.
    lets_in: bool


class DockerIgnore:
    """The rules of one ``.dockerignore``.

    Args:
        text: what the file holds.
    """

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines() if not line.startswith("#"))
        self._lines = [_line(line) for line in lines if line]

    def lets_in(self, path: str) -> bool:
        """Tell whether the builder gets this path, relative to the context's root."""
        inside = PurePosixPath(path)
        candidates = [str(inside), *(str(folder) for folder in inside.parents if folder.name)]
        let_in = True
        for line in self._lines:
            if any(line.pattern.fullmatch(candidate) for candidate in candidates):
                let_in = line.lets_in
        return let_in


def _line(line: str) -> _Line:
    lets_in = line.startswith("!")
    cleaned = PurePosixPath("/", line.removeprefix("!").strip()).relative_to("/")
    return _Line(pattern=re.compile(_expression(str(cleaned))), lets_in=lets_in)


def _expression(pattern: str) -> str:
    """Give the regular expression of a pattern, as ``moby/patternmatcher`` makes it."""
    found = ""
    for part in re.findall(r"\*\*/?|\*|\?|\[[^\]]*\]|\\.|.", pattern):
        if part.startswith("**"):
            found += "(?:.*/)?" if part.endswith("/") else ".*"
        elif part == "*":
            found += "[^/]*"
        elif part == "?":
            found += "[^/]"
        elif part.startswith("["):
            found += part
        else:
            found += re.escape(part.removeprefix("\\") or part)
    return found

"""The console blocks of the README and of docs/, so that tests run what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: Begins a line in a block whose commands nobody runs here; the reason follows.
NOT_RUN = "# not run here: "
_BLOCK = re.compile(r"^( *)```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One console block."""

    #: Relative to the root.
    page: str
    text: str

    @property
    def why_not_run(self) -> str | None:
        """The reason that the page gives; None for a block that is run."""
        lines = [line for line in self.text.splitlines() if line.startswith(NOT_RUN)]
        return lines[0].removeprefix(NOT_RUN) if lines else None

    @property
    def commands(self) -> list[str]:
        """What is typed at the prompt, each with the lines that continue it."""
        found: list[str] = []
        inside = False
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
                inside = True
            elif inside and (line.startswith("    ") or _goes_on(found[-1])):
                found[-1] += f"\n{line}"
            else:
                inside = False
        return found

    @property
    def script(self) -> str:
        """All of it, for a shell."""
        return "\n".join(self.commands)


def _goes_on(command: str) -> bool:
    """Tell whether a shell would wait for more: a here-document, or a line that ends so."""
    here = re.search(r"<<'?(\w+)'?", command)
    if here is not None:
        return not command.endswith(f"\n{here[1]}")
    return command.endswith("\\")


def blocks() -> Iterator[Block]:
    """Give every console block of every page."""
    for page in PAGES:
        for indent, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
            lines = [line.removeprefix(indent) for line in text.splitlines()]
            yield Block(page=str(page.relative_to(ROOT)), text="\n".join(lines))


def block(page: str, *, holding: str) -> Block:
    """Give the one block of a page that holds these words."""
    (found,) = (b for b in blocks() if b.page == page and holding in b.text)
    return found

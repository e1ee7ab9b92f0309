"""How a part of the installation is asked whether it works."""

from __future__ import annotations

from typing import Any, Protocol


class Probe(Protocol):
    """Answers whether a part of the installation works."""

    def check(self) -> dict[str, Any]:
        """Give details for an operator; raises what the part raises."""

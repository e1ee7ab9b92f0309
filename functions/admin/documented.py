"""What documents say of texts. The services check it, and say in words what is wrong."""

from __future__ import annotations

from typing import Any

#: Any text that PostgreSQL can hold.
TEXT: dict[str, Any] = {"pattern": r"^[^\x00]*$"}
#: The same, with something to read in it.
WORDS: dict[str, Any] = {"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}

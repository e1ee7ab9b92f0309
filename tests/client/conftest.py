"""What the client talks to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functions.conftest import deliver, installation
from tests.scripted import ScriptedServer, scripted_server

__all__ = ["deliver", "installation"]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that answers what the test says."""
    with scripted_server() as server:
        yield server

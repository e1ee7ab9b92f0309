"""What lists and ends sessions by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.ports.reviewing import Sessions


def sessions() -> Sessions:
    """Give who is signed in at the page."""
    from photogate.adapters.postgres.sessions import PostgresSessions

    return PostgresSessions(choose.pool(choose.settings_of(s.DatabaseSettings)))

"""What erases users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photogate import settings as s
from photogate.bootstrap import choose

if TYPE_CHECKING:
    from photogate.adapters.postgres.erasing import PostgresErasing


def erasing() -> PostgresErasing:
    """Give what erases users."""
    from photogate.adapters.postgres.erasing import PostgresErasing

    return PostgresErasing(choose.pool(choose.settings_of(s.DatabaseSettings)))

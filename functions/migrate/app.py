"""The function that brings the database's schema up to date, from inside its network."""

from __future__ import annotations

from typing import Any

from photogate import bootstrap


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's shape
    """Apply what is missing; answers with the names. Safe to repeat."""
    return {"applied": bootstrap.migrate()}

"""Copies of the checkout, whose stacks are removed at the end."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.home import free_port
from tests.compose.page import Checkout


@pytest.fixture(autouse=True)
def _an_engine() -> None:
    if not os.environ.get("PHOTOGATE_COMPOSE"):
        pytest.skip("`make compose-test` runs it")


@pytest.fixture
def checkout_of(tmp_path: Path) -> Iterator[Callable[[str | None], Checkout]]:
    """Make a checkout of a commit, or of what is here, in which nothing has run."""
    with ExitStack() as held:

        def make(commit: str | None) -> Checkout:
            made = Checkout(
                folder=tmp_path / "checkout",
                project=f"photogate-test-{secrets.token_hex(4)}",
                port=free_port(),
                s3_port=free_port(),
                commit=commit,
            )
            held.callback(_remove, made)
            return made

        yield make


@pytest.fixture
def checkout(checkout_of: Callable[[str | None], Checkout]) -> Checkout:
    """A checkout of what is here; what is started there is removed at the end."""
    return checkout_of(None)


def _remove(made: Checkout) -> None:
    if made.file.exists():
        made.run(f"{made.compose} --profile '*' down --volumes --timeout 5")

"""Stacks for the tests that need whole ones."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import RunningStack


@pytest.fixture
def stack_home(tmp_path: Path, bundle: Path) -> Path:
    """An empty home, with the model at hand; its path has a space."""
    return tmp_path / "the home"


@pytest.fixture
def start(stack_home: Path) -> Iterator[Callable[..., RunningStack]]:
    """Start stacks that end with the test, whatever happens."""
    started: list[RunningStack] = []

    def launch(*arguments: str, **environment: str) -> RunningStack:
        started.append(RunningStack(stack_home, *arguments, **environment))
        return started[-1]

    yield launch
    for stack in started:
        if stack.process.poll() is None:
            stack.stop(signal.SIGTERM)


_QUICK = {"QUEUE_VISIBILITY_S": "2", "SWEEP_INTERVAL_S": "1", "JOB_DEADLINE_S": "30"}


@pytest.fixture
def stack(start: Callable[..., RunningStack]) -> RunningStack:
    """A running stack without sample photos."""
    return start(**_QUICK)


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[RunningStack]:
    """Such a stack for tests that leave it as it was, but for their users' photos."""
    stack = RunningStack(tmp_path_factory.mktemp("shared") / "the home", **_QUICK)
    yield stack
    stack.stop(signal.SIGTERM)

"""What installations of one test process share, since it takes long to start and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # what looks at no photo needs neither
    from photogate_vision.classifier.panel import Panel
    from photogate_vision.decoding.sandbox import Sandbox


@pytest.fixture(scope="session")
def warm_models(bundle: Path, second_bundle: Path) -> Callable[..., Panel]:
    """Load the shipped models once, however many installations look with them."""
    from photogate_vision.classifier.panel import Panel

    load = cache(Panel)
    warm = {bundle, second_bundle}

    def panel(first: Path, others: tuple[Path, ...] | None, **options: Any) -> Panel:
        shipped = options.get("third") is None and {first, *(others or ())} <= warm
        return (load if shipped else Panel)(first, others, **options)

    return panel


@pytest.fixture(scope="session")
def warm_sandbox() -> Iterator[Sandbox]:
    """What decodes for all installations, as it does for all photos of one."""
    from photogate.bootstrap import for_moderate

    sandbox = for_moderate._sandbox()
    yield sandbox
    sandbox.close()

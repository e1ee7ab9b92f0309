"""Pages of one file, which need nothing else: no script, no address, every value escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template of this folder, and write it.

    Args:
        path: replaced when it is there.
        template: its file name.
        values: what it shows; ``made_at`` is added.

    Raises:
        OSError: it cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("local", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = environment.get_template(template).render(made_at=made_at, **values)
    # Names of files need not be UTF-8.
    path.write_text(page, encoding="utf-8", errors="replace")

"""Verdicts as one page, with each picture beside its verdict."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from local.check import Checked, summary
from local.pages import write_page
from photogate.domain import Copy


def write_verdicts(path: Path, found: Sequence[Checked], *, policy: str, panel: str) -> None:
    """Write the page: with small copies, made as for users, and nothing of the files themselves.

    Args:
        path: replaced when it is there.
        policy: which decided, in words.
        panel: which models looked, in words.

    Raises:
        OSError: it cannot be written.
    """
    write_page(
        path,
        "check.html",
        summary=summary(found),
        policy=policy,
        panel=panel,
        photos=[
            {
                "file": checked.photo.short,
                "status": checked.finding.verdict.status.value,
                "reason": checked.finding.verdict.reason,
                "why": checked.why,
                "picture": checked.thumb and _address(checked.thumb),
            }
            for checked in found
        ],
    )


def _address(copy: Copy) -> str:
    return f"data:{copy.content_type};base64,{b64encode(copy.data).decode()}"

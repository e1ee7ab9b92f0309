"""Verdicts as one page, with each picture beside its verdict."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from local.check import Checked, summary
from local.pages import write_page
from photogate.errors import PhotogateError
from photogate.ports.vision import CopyMaker


def write_verdicts(
    path: Path, found: Sequence[Checked], maker: CopyMaker, *, policy: str, panel: str
) -> None:
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
                "picture": _picture(checked, maker),
            }
            for checked in found
        ],
    )


def _picture(checked: Checked, maker: CopyMaker) -> str | None:
    """Give the picture as a data URI; None when nobody can be shown it."""
    try:
        copies = maker.copies(checked.data)
    except PhotogateError:
        return None
    (thumb,) = (copy for copy in copies if copy.name == "thumb")
    return f"data:{thumb.content_type};base64,{b64encode(thumb.data).decode()}"

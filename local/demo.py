"""Sends photos through the API as new users do, and shows what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from local.client import ApiRefused, PhotogateClient, Upload
from local.home import user_claim
from local.verdicts import coloured, reason_column, score_columns, verdict_table
from photogate.auth import issue_token
from photogate.domain import Role

_BATCH = 9
#: Three full batches stay below the limit of 30 photos in 24 hours.
_PER_USER = 27


class Demo:
    """A run of uploads against one API.

    Args:
        url: where it answers.
        secret: the API's ``JWT_SECRET``: new users make their own tokens here.
        console: where progress and the table are shown.
        public_url: see ``PhotogateClient``.
    """

    def __init__(
        self, url: str, secret: str, console: Console, *, public_url: str | None = None
    ) -> None:
        self._url, self._public_url = url, public_url
        self._secret = secret
        self._console = console
        self._run = f"demo-{time.time_ns() // 1_000_000}"

    @property
    def first_user(self) -> str:
        """The user who handed in the first photos."""
        return f"{self._run}-0"

    def show(
        self, uploads: Sequence[Upload], *, within_s: float = 120.0, test: bool = False
    ) -> bool:
        """Upload, wait, and show a table; True when every photo got its verdict.

        Args:
            test: these are test photos, and have to be taken for such.

        Raises:
            ApiRefused: the API refuses more than single photos.
        """
        rows: list[list[str]] = []
        complete, settling_s, began = True, 0.0, time.perf_counter()
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            sending = progress.add_task("uploading", total=len(uploads))
            judging = progress.add_task("verdicts", total=len(uploads))
            for number, group in enumerate(_groups(uploads, _PER_USER)):
                client = self._client(f"{self._run}-{number}", Role.USER, "Demo")
                keys: dict[str, Upload] = {}
                for upload in group:
                    try:
                        keys[client.put(upload)] = upload
                    except ApiRefused as error:
                        rows.append([escape(upload.name), coloured("refused"), escape(str(error))])
                        progress.advance(judging)
                    progress.advance(sending)
                before = progress.tasks[judging].completed
                started = time.perf_counter()
                for batch in _groups(list(keys), _BATCH):
                    client.complete(batch)
                try:
                    photos = client.wait(
                        list(keys),
                        within_s=within_s,
                        on_progress=partial(_advance, progress, judging, before),
                    )
                except TimeoutError as error:
                    complete = False
                    self._console.print(f"[red]{error}[/red]; see the logs of the workers")
                    photos = {p["file_key"]: p for p in client.photos()}
                settling_s = time.perf_counter() - started
                scores = self._scores(photos, test=test)
                if test and not all(photo.get("test") for photo in photos.values()):
                    complete = False
                    self._console.print(
                        "[red]markers do not count[/red] where the worker runs"
                        " without PHOTOGATE_TEST_MODE=1: these verdicts are real"
                    )
                rows += [_row(u, photos[k], scores.get(photos[k]["id"])) for k, u in keys.items()]
        self._console.print(verdict_table(rows, width=self._console.width))
        self._console.print(
            f"{len(rows)} photos; all verdicts {settling_s:.2f} s after upload-complete"
            if len(uploads) <= _PER_USER
            else f"{len(rows)} photos in {time.perf_counter() - began:.1f} s, uploads included"
        )
        return complete

    def _scores(
        self, photos: dict[str, dict[str, Any]], *, test: bool
    ) -> dict[str, dict[str, Any]]:
        """Fetch the scores of these photos as an admin, page by page, newest first."""
        admin = self._client(f"{self._run}-admin", Role.ADMIN, None)
        wanted, page = {p["id"] for p in photos.values()}, 1
        found: dict[str, dict[str, Any]] = {}
        while wanted - found.keys():
            media = admin.call(
                "GET",
                "/admin/moderation/dashboard",
                params={"page": page, "limit": 100, "test": test},
            )["media"]
            if not media:
                break
            found |= {m["id"]: m["moderation_scores"] or {} for m in media if m["id"] in wanted}
            page += 1
        return found

    def _client(self, user_id: str, role: Role, name: str | None) -> PhotogateClient:
        token = issue_token(
            user_id, secret=self._secret, role=role, name=name, user_claim=user_claim()
        )
        return PhotogateClient(self._url, token, public_url=self._public_url)


def _advance(progress: Progress, task: TaskID, before: float, settled: int) -> None:
    progress.update(task, completed=before + settled)


def _row(upload: Upload, photo: dict[str, Any], scores: dict[str, Any] | None) -> list[str]:
    known = scores or {}
    took_ms = known.get("processing_time_ms")
    return [
        escape(upload.name),
        coloured(photo["moderation_status"]),
        reason_column(photo["moderation_reason"], None, known),
        *score_columns(known),
        f"{took_ms:.1f}" if took_ms is not None else "",
    ]


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

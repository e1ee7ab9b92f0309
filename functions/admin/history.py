"""Routes for the history: what was done to photos, by whom and why; in pages, and as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from photogate.bootstrap import AdminParts
from photogate.domain import Principal, Reason, Role, Status
from photogate.domain.changes import Action, By
from photogate.domain.history import HistoryEntry, HistoryFilter, HistoryPlace
from photogate.http import require
from photogate.problems import problems
from photogate.service.listing import HistoryPage, Lists
from photogate.texts import rule_text

from .csv_rows import csv_row
from .lists import CURSOR
from .sessions import signed_in

#: Rows of one answer as CSV.
MAX_ROWS = 5000
#: An answer ends at the first row beyond; Lambda's may have 6 MB in all.
MAX_BYTES = 3_000_000
#: Names the place where the next part begins.
NEXT_CURSOR = "X-Next-Cursor"

COLUMNS = (
    "at",
    "photo_id",
    "n",
    "user_id",
    "by",
    "person",
    "role",
    "action",
    "before",
    "after",
    "reason",
    "failed",
    "rule",
    "value",
    "bound",
    "policy",
    "test",
)

Viewer = Annotated[Principal, Depends(require(Role.VIEWER, signed_in))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN, signed_in))]
_TEXT = r"^[^\x00]+$"


class Entry(BaseModel):
    """One change of one photo."""

    at: datetime
    photo_id: str
    n: int = Field(description="Counts the changes of this photo, from 1.", examples=[2])
    user_id: str | None = Field(
        description="Whose photo it is; null when that user was erased.", examples=["u-1"]
    )
    by: str = Field(examples=["person"])
    person: str | None = Field(
        description="Who made it; null for a machine, and for a person who was erased.",
        examples=["ada"],
    )
    role: str | None = Field(description="That the person had then.", examples=["moderator"])
    action: str = Field(examples=["decide"])
    before: str = Field(examples=["review"])
    after: str | None = Field(description="Null when it was deleted.", examples=["rejected"])
    reason: str | None = Field(
        description="A known code, or a person's own words.", examples=["nsfw"]
    )
    failed: bool = Field(description="Automatic checking could not finish.")
    rule: str | None = Field(
        description="The comparison that decided.",
        examples=["probability of explicit content is 0.97, above 0.9"],
    )
    policy: str | None = Field(examples=["profile@2"])
    test: bool = Field(
        False, description="Of a photo that a marker gave a verdict.", examples=[False]
    )

    @classmethod
    def of(cls, entry: HistoryEntry) -> Entry:
        """Translate an entry."""
        return cls(
            at=entry.at,
            photo_id=entry.photo_id,
            n=entry.n,
            user_id=entry.owner,
            by=entry.by,
            person=entry.person,
            role=entry.role,
            action=entry.action,
            before=entry.before,
            after=entry.after,
            reason=entry.reason,
            failed=entry.failed,
            rule=entry.rule and rule_text(entry.rule),
            policy=entry.policy,
            test=entry.test,
        )


class History(BaseModel):
    """A part of the history, newest first."""

    entries: list[Entry]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last one.", examples=[None]
    )

    @classmethod
    def of(cls, page: HistoryPage) -> History:
        """Translate a page."""
        return cls(
            entries=[Entry.of(entry) for entry in page.entries], next_cursor=page.next_cursor
        )


def _no_number(value: object) -> object:
    if isinstance(value, str) and not value.strip("+-.0123456789"):
        raise ValueError("a date and a time with its zone, such as 2026-11-27T08:00:00Z")
    return value


#: A bare number would be taken as seconds since 1970.
_Moment = Annotated[AwareDatetime, BeforeValidator(_no_number)]


def _wanted(
    by: Annotated[By | None, Query(description="What kind of author made it.")] = None,
    person: Annotated[
        str | None, Query(max_length=128, pattern=_TEXT, description="Who made it.")
    ] = None,
    action: Annotated[Action | None, Query(description="What was done.")] = None,
    after: Annotated[Status | None, Query(description="What the photo became.")] = None,
    reason: Annotated[Reason | None, Query()] = None,
    user_id: Annotated[
        str | None, Query(max_length=128, pattern=_TEXT, description="Whose photos.")
    ] = None,
    photo_id: Annotated[str | None, Query(pattern="^[0-9a-f-]{1,36}$")] = None,
    since: Annotated[_Moment | None, Query(description="From then on.")] = None,
    until: Annotated[_Moment | None, Query(description="Before then.")] = None,
) -> HistoryFilter:
    return HistoryFilter(
        by=by,
        person=person,
        action=action,
        after=after,
        reason=reason,
        owner=user_id,
        photo_id=photo_id,
        since=since,
        until=until,
    )


def _lists(request: Request) -> Lists:
    parts: AdminParts = request.app.state.parts()
    return parts.lists


Wanted = Annotated[HistoryFilter, Depends(_wanted)]
Service = Annotated[Lists, Depends(_lists)]
router = APIRouter(prefix="/api/v1/admin", tags=["history"])


@router.get("/history", responses=problems(401, 403, 422, 503))
def history(
    _: Viewer,
    service: Service,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, CURSOR] = None,
) -> History:
    """Page through what was done to photos, newest first."""
    return History.of(service.history(wanted, limit=limit, cursor=cursor))


@router.get(
    "/history.csv",
    response_class=Response,
    responses=problems(401, 403, 422, 503)
    | {
        200: {
            "description": "A part of the history, newest first. The row with the names of the"
            f" columns stands in the first part only. The header `{NEXT_CURSOR}` says where the"
            " next part begins; the last part has none. Text that a spreadsheet would take for a"
            " formula begins with an apostrophe.",
            "content": {"text/csv": {}},
            "headers": {NEXT_CURSOR: {"schema": {"type": "string"}}},
        }
    },
)
def history_csv(
    _: Admin,
    service: Service,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = MAX_ROWS,
    cursor: Annotated[str | None, CURSOR] = None,
) -> Response:
    """Export what was done to photos."""
    page = service.history(wanted, limit=limit, cursor=cursor)
    head = csv_row(COLUMNS) if cursor is None else ""
    text, last = _fitting(head, page.entries)
    cut = last is not None and last is not page.entries[-1]
    place = HistoryPlace.of(last).cursor() if cut and last else page.next_cursor
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="history.csv"',
            "X-Content-Type-Options": "nosniff",
        }
        | ({NEXT_CURSOR: place} if place else {}),
    )


def _fitting(head: str, entries: Iterable[HistoryEntry]) -> tuple[str, HistoryEntry | None]:
    """Give as many rows as an answer may have, at least one, and the last of them."""
    rows, size, last = [head], len(head), None
    for entry in entries:
        row = csv_row(cells(entry))
        size += len(row.encode())
        if last is not None and size > MAX_BYTES:
            break
        rows.append(row)
        last = entry
    return "".join(rows), last


def cells(entry: HistoryEntry) -> tuple[str | int | float | bool | None, ...]:
    """Give an entry's cells, by ``COLUMNS``."""
    rule = entry.rule
    return (
        entry.at.isoformat(),
        entry.photo_id,
        entry.n,
        entry.owner,
        entry.by,
        entry.person,
        entry.role,
        entry.action,
        entry.before,
        entry.after,
        entry.reason,
        entry.failed,
        rule.name if rule else None,
        rule.value if rule else None,
        rule.bound if rule else None,
        entry.policy,
        entry.test,
    )

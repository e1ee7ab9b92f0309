"""The latest verdicts, as the history has them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from local.logs import since as moment
from local.verdicts import coloured
from photogate.domain import Reason, Status
from photogate.domain.changes import Action
from photogate.domain.history import HistoryEntry, HistoryFilter
from photogate.errors import ConfigError
from photogate.service.listing import Lists
from photogate.texts import reason_text, rule_text

#: Changes that give a photo a verdict; ``set`` is another program's.
_VERDICTS = {
    *(Action.JUDGE, Action.GIVE_UP, Action.WITHHOLD, Action.DECIDE, Action.UNDO),
    "set",
}
#: Beside statuses: in review because the machine could not finish.
FAILED = "failed"
_AT_ONCE = 200
#: From so many characters on a terminal has room for a photo's whole id.
_WIDE = 110


def wanted(
    *, status: str | None, reason: str | None, user: str | None, since: str | None
) -> HistoryFilter:
    """Read the options.

    Raises:
        ConfigError: one of them is none of the known.
    """
    statuses = {FAILED: Status.REVIEW} | {s.value: s for s in Status if s is not Status.PENDING}
    if status is not None and status not in statuses:
        raise ConfigError(f"--status must be one of {', '.join(sorted(statuses))}")
    if reason is not None and reason not in list(Reason):
        raise ConfigError(f"--reason must be one of {', '.join(Reason)}")
    return HistoryFilter(
        after=statuses[status] if status else None,
        reason=Reason(reason) if reason else None,
        failed=status == FAILED,
        owner=user,
        since=moment(since),
    )


def newest(lists: Lists, wanted: HistoryFilter, *, limit: int) -> list[HistoryEntry]:
    """Give the newest verdicts that fit, newest first.

    Raises:
        DatabaseUnavailable: it does not answer.
    """
    found: list[HistoryEntry] = []
    cursor: str | None = None
    while len(found) < limit:
        page = lists.history(wanted, limit=_AT_ONCE, cursor=cursor)
        found += [e for e in page.entries if e.action in _VERDICTS]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found[:limit]


def result_table(entries: Sequence[HistoryEntry], *, width: int) -> Table:
    """Show one line a verdict; a narrow terminal gets the beginning of each photo's id."""
    table = Table(header_style="bold")
    table.add_column("time, UTC", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why", overflow="fold")
    table.add_column("user", overflow="fold", max_width=16)
    table.add_column("photo", no_wrap=True)
    for entry in entries:
        table.add_row(
            f"{entry.at:%m-%d %H:%M:%S}",
            coloured(entry.after or ""),
            escape(why(entry)),
            escape(entry.owner or "(erased)"),
            escape(entry.photo_id if width >= _WIDE else entry.photo_id[:8]),
        )
    return table


def why(entry: HistoryEntry) -> str:
    """Say who decided, unless it was the machine, and why."""
    said = [entry.reason] if entry.reason else []
    if entry.rule is not None:
        said.append(rule_text(entry.rule))
    elif entry.failed:
        said.append("checking could not finish")
    elif entry.reason in list(Reason):
        # What its owner is told, without what to do about it.
        said.append((reason_text(entry.reason) or "").partition(". ")[0].rstrip("."))
    if entry.action == Action.UNDO:
        said.append("taken back")
    who = entry.person or ("" if entry.by == "machine" else entry.by)
    words = ": ".join(said)
    return f"by {who}{': ' if words else ''}{words}" if who else words

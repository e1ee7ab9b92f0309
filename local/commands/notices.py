"""``photogate notices``: what people and backends are told, what was given up, and once more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from local.commands.settings import stacks_settings
from local.console import out

if TYPE_CHECKING:
    from photogate.domain.notices import Delivery, NoticeState

notices = typer.Typer(no_args_is_help=True, help="What people and backends are told of decisions.")

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Rows at most.")]
Channel = Annotated[str | None, typer.Option(help="Only over this channel, such as webhook.")]
_TRIED_WITHIN_S = 30.0


@notices.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="open, told or dead.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    limit: Limit = 50,
) -> None:
    """List notices, newest first."""
    from photogate import bootstrap

    with stacks_settings():
        found = bootstrap.notice_desk().deliveries(state=_state(state), user_id=user, limit=limit)
        _show(found, "there are no notices")


@notices.command()
def dead(limit: Limit = 50) -> None:
    """List what was given up, with the last error, newest first."""
    from photogate import bootstrap

    with stacks_settings():
        found = bootstrap.notice_desk().deliveries(state=_state("dead"), limit=limit)
        _show(found, "nothing was given up")


@notices.command()
def resend(
    ids: Annotated[list[str] | None, typer.Argument(help="Of told or dead notices.")] = None,
    all_dead: Annotated[bool, typer.Option("--dead", help="All that were given up.")] = False,
    channel: Channel = None,
    limit: Limit = 1000,
) -> None:
    """Tell notices again, under the same ids."""
    from photogate import bootstrap
    from photogate.errors import ConfigError

    with stacks_settings():
        if bool(ids) == all_dead:
            raise ConfigError("name notices by their ids, or say --dead")
        desk = bootstrap.notice_desk()
        wanted = desk.dead(channel=channel, limit=limit) if all_dead else ids or []
        out.print(f"to be told again: {desk.resend(wanted, channel=channel)}", highlight=False)


@notices.command("test")
def try_out(
    channel: Annotated[str, typer.Argument(help="Such as webhook, telegram or log.")],
    user: Annotated[str, typer.Option(help="Whom to tell.")] = "test",
) -> None:
    """Tell something of no photo over one channel, and wait for what becomes of it."""
    from photogate import bootstrap
    from photogate.domain.notices import NoticeState

    with stacks_settings():
        desk = bootstrap.notice_desk()
        id_ = desk.test(channel, user)
        ends = time.monotonic() + _TRIED_WITHIN_S
        while True:
            (tried,) = (
                one
                for one in desk.deliveries(state=None, user_id=user, limit=1000)
                if one.notice.id == id_
            )
            if tried.state is NoticeState.TOLD:
                out.print(f"{channel}: told", highlight=False)
                return
            if tried.error is not None or time.monotonic() > ends:
                why = tried.error or (
                    "nobody took it; is the channel set up where the sweep runs, and is it up?"
                )
                out.print(f"{channel}: not told: {why}", highlight=False, markup=False)
                raise typer.Exit(1)
            time.sleep(0.2)


def _state(name: str | None) -> NoticeState | None:
    from photogate.domain.notices import NoticeState
    from photogate.errors import ConfigError

    try:
        return None if name is None else NoticeState(name)
    except ValueError as error:
        raise ConfigError(f"--state must be one of {', '.join(NoticeState)}") from error


def _show(found: Sequence[Delivery], otherwise: str) -> None:
    if not found:
        out.print(otherwise)
        return
    table = Table("notice", "user", "status", "channel", "state", "since", "error")
    for one in found:
        since = one.ended_at or one.due_at or one.notice.decided_at
        table.add_row(
            escape(one.notice.id),
            escape(one.notice.user_id),
            " ".join(filter(None, (one.notice.status.value, one.notice.reason_code))),
            one.channel or "-",
            one.state.value,
            f"{since:%Y-%m-%d %H:%M:%S}",
            escape(one.error or ""),
        )
    out.print(table)

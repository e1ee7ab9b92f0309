"""``photogate results`` and ``report``: the latest verdicts, and a week's sum."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from local.cli import app
from local.results import result_table, why
from photogate.domain import Reason, Role, Rule
from photogate.domain.history import HistoryEntry
from tests.functions.conftest import Installation


def run_cli(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


@pytest.fixture
def began() -> str:
    """The history keeps what other tests did: this is where this test begins."""
    return datetime.now(UTC).isoformat()


def test_verdicts_are_listed(
    installation: Installation, deliver: Callable[..., list[str]], portrait: bytes, began: str
) -> None:
    mine = ("results", "--since", began)
    assert run_cli(*mine) == (0, "no verdict is of that kind\n")
    installation.hand_in(portrait, user="results-1")
    installation.hand_in(b"no photo", user="results-2")
    deliver()
    (photo,) = installation.client("results-2").photos()
    admin = installation.client("ada", Role.MODERATOR)
    admin.call(
        "PUT", f"/admin/moderation/{photo['id']}/reject", json={"reason": "=A car, [not you]"}
    )
    code, said = run_cli(*mine)
    assert code == 0
    for words in (
        "approved",
        "results-1",
        "unreadable: This file",
        "by ada: =A car, [not you]",
        photo["id"],
    ):
        assert words in said
    told = [json.loads(line) for line in run_cli(*mine, "--json")[1].splitlines()]
    assert [(one["user_id"], one["after"]) for one in told] == [
        ("results-2", "rejected"),
        *((one["user_id"], one["after"]) for one in told[1:]),
    ]
    assert len(told) == 3
    rows = list(csv.DictReader(io.StringIO(run_cli(*mine, "--csv")[1])))
    assert [row["photo_id"] for row in rows] == [one["photo_id"] for one in told]
    assert rows[0]["reason"] == "'=A car, [not you]"

    def users(*words: str) -> list[str]:
        said = run_cli(*mine, "--json", *words)[1]
        return [json.loads(line)["user_id"] for line in said.splitlines()]

    assert users("--user", "results-1") == ["results-1"]
    assert users("--status", "approved") == ["results-1"]
    assert users("--reason", "unreadable") == ["results-2"]
    assert users("--status", "failed") == []
    assert users("--limit", "1") == ["results-2"]
    code, said = run_cli("report", "--days", "1", "--json")
    assert code == 0
    assert json.loads(said)["days"][0]["photos"] == 2
    assert "work of people" in run_cli("report", "--week")[1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("results", "--status", "pending"), "--status must be one of approved, failed, rej"),
        (("results", "--reason", "ugly"), "--reason must be one of nsfw, "),
        (("results", "--since", "long ago"), "use 90s, 15m, 2h, 1d or an ISO time"),
        (("results", "--csv", "--json"), "choose one"),
        (("report", "--week", "--days", "3"), "choose one"),
    ],
)
def test_what_makes_no_sense(words: tuple[str, ...], line: str) -> None:
    code, said = run_cli(*words)
    assert (code, len(said.splitlines())) == (1, 1)
    assert line in said


def test_a_narrow_terminal() -> None:
    entry = replace(
        judged("nsfw"),
        at=datetime(2026, 11, 30, 9, 5, 12, tzinfo=UTC),
        photo_id="7b0e4d1c-6f7a-4c2b-9a3d-2f1e0d9c8b7a",
        owner="a-user-whose-name-is-very-long-indeed",
        rule=Rule(name="nsfw.least", value=0.97, bound=0.9),
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(result_table([entry], width=80))
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert "│ 11-30 09:05:12 │ rejected │ nsfw: probability" in text
    assert "│ 7b0e4d1c │" in text


def test_each_reason_has_words() -> None:
    for reason in Reason:
        assert re.fullmatch(rf"{reason}: [A-Z][^.]+", why(judged(reason)))
    assert (
        why(replace(judged("A car. Really."), by="person", person="ada"))
        == "by ada: A car. Really."
    )
    assert why(replace(judged(None), failed=True)) == "checking could not finish"


def judged(reason: str | None) -> HistoryEntry:
    return HistoryEntry(
        at=datetime.now(UTC),
        photo_id="1",
        n=1,
        action="judge",
        by="machine",
        person=None,
        role=None,
        owner="u",
        before="pending",
        after="rejected",
        reason=reason,
        failed=False,
        rule=None,
        policy=None,
    )

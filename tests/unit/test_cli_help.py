"""What ``photogate --help`` tells somebody who sees it first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from local.cli import app
from local.home import Home, free_port
from photogate.settings import setting_names

HELP = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).output


def test_commands_stand_under_what_they_are_for() -> None:
    panels = re.findall(r"^╭─ (.+?) ─", HELP, re.M)

    assert panels == [
        "Options",
        "Begin here",
        "See what happens",
        "Judge better",
        "Operate",
        "Keep and restore",
    ]


def test_each_line_of_the_examples_is_one_line_and_can_be_run() -> None:
    examples = [line.strip() for line in HELP.partition("Examples:")[2].splitlines()]
    group = typer.main.get_command(app)

    for line in filter(None, examples):
        program, name, *rest = re.split(r" {2,}", line)[0].split()
        assert program == "photogate", line
        command = group.get_command(typer.Context(group), name)  # type: ignore[attr-defined]
        # Raises where there is no such option.
        command.make_context(name, rest)


def test_where_the_stack_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PHOTOGATE_HOME", str(tmp_path))
    port = free_port()
    url = f"postgresql://photogate@127.0.0.1:{port}/photogate"
    stack = {"DATABASE_URL": url, "PHOTOS_DIR": str(tmp_path), "JWT_SECRET": "s" * 32}
    Home().save_environment(stack)

    said = CliRunner().invoke(app, ["results"])

    assert said.exit_code == 1
    assert said.stderr == (
        f"photogate: the database does not answer: host 127.0.0.1 and port {port}: Connection"
        f" refused; does the stack of {tmp_path} run? `photogate up` starts it\n"
    )
    # Who names a server of one's own is asked nothing about a stack.
    monkeypatch.setenv("DATABASE_URL", url)
    assert "does the stack" not in CliRunner().invoke(app, ["results"]).stderr


@pytest.mark.parametrize("wrong", [["token"], ["token", ""], ["token", "--role", "boss", "anna"]])
def test_a_token_asked_for_wrongly_does_not_send_people_to_the_settings(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PHOTOGATE_HOME", str(tmp_path))

    said = CliRunner().invoke(app, wrong)

    assert said.exit_code != 0
    assert "no stack has run" not in said.output + said.stderr
    assert ("whose token" in said.stderr) or ("--role must be one of" in said.stderr)

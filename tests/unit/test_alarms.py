"""Alarms, their lines in docs/aws.md, and the dashboard: all about metrics that somebody writes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.test_template import ROOT, resources, template, walk

pytestmark = pytest.mark.quick

ALARMS = resources("AWS::CloudWatch::Alarm")
PAGE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
#: What AWS writes of its own, by namespace: names, and the dimension under which we ask for them.
OF_AWS = {
    "AWS/SQS": (
        "QueueName",
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
            "ApproximateNumberOfMessagesNotVisible",
        },
    ),
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "Duration", "ConcurrentExecutions"}),
    "AWS/ApiGateway": ("ApiId", {"Count", "4xx", "5xx", "Latency"}),
    "AWS/RDS": (
        "DBClusterIdentifier",
        {"DatabaseConnections", "ACUUtilization", "ServerlessDatabaseCapacity"},
    ),
}
#: Ids, which would each be a metric of their own, and personal besides.
OF_PEOPLE = re.compile(r"user|photo_id|batch|name|address|chat", re.IGNORECASE)


def written() -> dict[str, set[str]]:
    """Give the names of our own metrics with the services that write them; "" is any."""
    found: dict[str, set[str]] = {}
    for path in (*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/core/photogate/**/*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for service, name in _emitted(function):
                    found.setdefault(name, set()).add(service)
    return found


def _emitted(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    nodes = list(ast.walk(function))
    for call in nodes:
        if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "emit"):
            continue
        first = call.args[0]
        service = first.value if isinstance(first, ast.Constant) else ""
        for keyword in call.keywords:
            if keyword.arg in ("counts", "milliseconds", "seconds"):
                for name in _keys(keyword.value, nodes):
                    yield str(service), name


def _keys(value: ast.expr, nodes: list[ast.AST]) -> Iterator[str]:
    """Give the keys of a dictionary, also of one that a variable holds."""
    if isinstance(value, ast.Dict):
        yield from (str(key.value) for key in value.keys if isinstance(key, ast.Constant))
        return
    assert isinstance(value, ast.Name)
    for node in nodes:
        if not isinstance(node, ast.Assign):
            continue
        (target,) = node.targets
        if isinstance(target, ast.Name) and target.id == value.id:
            yield from _keys(node.value, nodes)
        elif isinstance(target, ast.Subscript) and getattr(target.value, "id", "") == value.id:
            assert isinstance(target.slice, ast.Constant)
            yield str(target.slice.value)


def dashboard() -> list[dict[str, Any]]:
    """Give all widgets, those of the stack's own database included."""
    (found,) = resources("AWS::CloudWatch::Dashboard").values()
    body, more = found["DashboardBody"]["Fn::Sub"]
    (of_database,) = more.values()
    used, widget, none = of_database["Fn::If"]
    assert (used, none) == ("MakesDatabase", "")
    assert widget["Fn::Sub"].endswith(",")
    whole = body.replace("${OfDatabase}", widget["Fn::Sub"])
    widgets: list[dict[str, Any]] = json.loads(whole)["widgets"]
    # Without a database it is a dashboard as well.
    assert len(json.loads(body.replace("${OfDatabase}", ""))["widgets"]) == len(widgets) - 1
    return widgets


def shown() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Give every metric of the dashboard: namespace, name, dimensions.

    A dot repeats what stands above it, three dots all that is not said.
    """
    for widget in dashboard():
        above: list[str] = []
        for line in widget["properties"].get("metrics", []):
            if isinstance(line[0], dict):
                continue
            words = [word for word in line if isinstance(word, str)]
            if words[0] == "...":
                words = above[: len(above) - len(words) + 1] + words[1:]
            words = [above[i] if word == "." else word for i, word in enumerate(words)]
            above = words
            yield words[0], words[1], dict(zip(words[2::2], words[3::2], strict=True))


def watched() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give every metric of the alarms."""
    for _, part in walk(list(ALARMS.values())):
        if isinstance(part, dict) and "MetricName" in part:
            dimensions = {d["Name"]: d["Value"] for d in part["Dimensions"]}
            yield part["Namespace"], part["MetricName"], dimensions


def assert_is_written(namespace: str, name: str, dimensions: dict[str, Any]) -> None:
    if namespace == "Photogate":
        assert set(dimensions) == {"service", "stack"}
        assert written()[name] & {dimensions["service"], ""}, name
        return
    dimension, names = OF_AWS[namespace]
    assert set(dimensions) == {dimension}
    assert name in names


@pytest.mark.parametrize(("namespace", "name", "dimensions"), [*shown(), *watched()])
def test_somebody_writes_it(namespace: str, name: str, dimensions: dict[str, Any]) -> None:
    assert_is_written(namespace, name, dimensions)


def test_searches_name_what_is_written() -> None:
    searched = re.findall(
        r"SEARCH\('\{Photogate,([\w,]+)} MetricName=\"(\w+)\"",
        json.dumps(dashboard()).replace('\\"', '"'),
    )
    assert {name for _, name in searched} == {"Photos", "ColdStarts"}
    assert all(name in written() for _, name in searched)
    assert {name: set(d.split(",")) for d, name in searched}["Photos"] == {
        *("by", "reason", "service", "stack", "status"),
    }


def test_everything_is_told_in_the_docs() -> None:
    table = PAGE.partition("## Logs and metrics")[2]
    for name in written():
        assert f"`{name}`" in table, name


def test_no_dimension_names_a_person() -> None:
    for path in (*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/core/photogate/**/*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "emit":
                for keyword in call.keywords:
                    if keyword.arg == "dimensions":
                        keys = list(_keys(keyword.value, []))
                        assert not [key for key in keys if OF_PEOPLE.search(key)], path


def test_each_alarm_has_its_line_in_the_runbook() -> None:
    lines = re.findall(r"^\| `(\w+Alarm)` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    assert sorted(name for name, _, _ in lines) == sorted(ALARMS)
    assert all(len(do) > 20 for _, _, do in lines)


def test_the_dashboard_shows_all_alarms_that_are_always_there() -> None:
    (panel,) = [w for w in dashboard() if w["type"] == "alarm"]
    conditional = {n for n in ALARMS if "Condition" in template()["Resources"][n]}
    assert set(panel["properties"]["alarms"]) == {
        f"${{{n}.Arn}}" for n in set(ALARMS) - conditional
    }
    assert conditional == {"DatabaseConnectionsAlarm", "DatabaseCapacityAlarm"}


def test_widgets_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard():
        cells = {
            (widget["x"] + x, widget["y"] + y)
            for x in range(widget["width"])
            for y in range(widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_what_is_watched() -> None:
    names = {name for _, name, _ in watched()}
    assert names >= {
        *("5xx", "Latency", "Errors", "Throttles", "JobsHandedBack", "TimeToVerdict"),
        *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"),
        *("OldestReviewAge", "OldestBatchAge", "DatabaseConnections", "ACUUtilization"),
        *("SweepRounds", "NoticesDead"),
    }

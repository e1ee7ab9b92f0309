"""In which order CloudFormation goes through the template: the schema before code that serves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest

from photogate.adapters.postgres.migrate import shipped
from tests.unit.test_template import FUNCTIONS, GLOBALS, listed, template, variables, walk

RESOURCES = template()["Resources"]
SERVING = sorted(set(FUNCTIONS) - {"MigrateFunction"})


def named(value: Any) -> Iterator[str]:
    """Every name that a value refers to, in whichever branch of a condition."""
    for _, part in walk(value):
        if not isinstance(part, dict):
            continue
        if "Ref" in part:
            yield part["Ref"]
        if "Fn::GetAtt" in part:
            at = part["Fn::GetAtt"]
            yield at.partition(".")[0] if isinstance(at, str) else at[0]
        if "Fn::Sub" in part:
            text = listed(part["Fn::Sub"])[0]
            yield from (name.partition(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", text))


def needs() -> dict[str, set[str]]:
    """What has to be there before each resource."""
    graph = {}
    for name, resource in RESOURCES.items():
        properties = dict(resource.get("Properties", {}))
        # SAM makes resources of their own of it, which come after the function.
        properties.pop("DeploymentPreference", None)
        found = {*listed(resource.get("DependsOn", [])), *named(properties)}
        if name in FUNCTIONS:
            found |= set(named({**GLOBALS, "Environment": variables(resource["Properties"])}))
        graph[name] = found & set(RESOURCES)
    return graph


def order() -> list[str]:
    """One order in which CloudFormation may make or update the resources."""
    return list(TopologicalSorter(needs()).static_order())


def before(name: str) -> set[str]:
    """Everything that is surely there before ``name``."""
    found, todo = set[str](), [name]
    while todo:
        for needed in needs()[todo.pop()] - found:
            found.add(needed)
            todo.append(needed)
    return found


#: What CloudFormation calls the migrate function for, in this order.
RUNS = [name for name in order() if RESOURCES[name]["Type"] == "Custom::Migration"]


def test_there_is_an_order() -> None:
    assert set(order()) == set(RESOURCES)


def test_everything_depended_on_exists() -> None:
    for name, resource in RESOURCES.items():
        assert set(listed(resource.get("DependsOn", []))) <= set(RESOURCES), name


@pytest.mark.parametrize("name", SERVING)
def test_a_function_that_serves_comes_after_the_migration(name: str) -> None:
    assert RESOURCES[name]["DependsOn"] == RUNS[-1]
    assert before(name) >= {*RUNS, "Migration", "MigrateFunction", "CoreLayer"}


def test_a_migration_is_continued_where_it_stopped() -> None:
    first, *later = RUNS
    assert first == "Migration"
    for name, earlier in zip(later, RUNS, strict=False):
        assert RESOURCES[name]["Properties"]["Unfinished"] == {
            "Fn::GetAtt": f"{earlier}.Unfinished"
        }
    may = [RESOURCES[name]["Properties"].get("MayBeUnfinished") for name in RUNS]
    # The functions that serve come after the last one, which has to finish.
    assert may == ["true"] * len(later) + [None]


def test_the_migration_comes_after_what_it_runs_on() -> None:
    assert before("Migration") >= {
        *("MigrateFunction", "MigrateOnce", "MigrateRole", "CommonPolicy", "MigrateLogs"),
        *("CoreLayer", "DatabaseInstance"),
        *("S3Endpoint", "SecretsEndpoint", "RoutesOfSubnetA", "RoutesOfSubnetB"),
    }
    assert not before("Migration") & set(SERVING)


class TestMigration:
    properties = RESOURCES["Migration"]["Properties"]

    def test_its_number_is_that_of_the_newest_file(self) -> None:
        # CloudFormation calls when a value changes: whoever adds a file raises it.
        assert self.properties["Schema"] == shipped()[-1].number

    def test_another_database_is_migrated_too(self) -> None:
        assert {"DatabaseInstance", "SettingsSecretArn"} <= set(named(self.properties["Database"]))

    def test_it_runs_once(self) -> None:
        once = RESOURCES["MigrateOnce"]["Properties"]
        assert once["FunctionName"] == {"Ref": "MigrateFunction"}
        assert (once["Qualifier"], once["MaximumRetryAttempts"]) == ("$LATEST", 0)

    def test_cloudformation_waits_as_long_as_it_may_take_and_no_longer(self) -> None:
        waits_s = RESOURCES["MigrateOnce"]["Properties"]["MaximumEventAgeInSeconds"]
        runs_s = FUNCTIONS["MigrateFunction"]["Timeout"]
        for name in RUNS:
            waited_s = RESOURCES[name]["Properties"]["ServiceTimeout"]
            assert waits_s + runs_s <= waited_s < 3600

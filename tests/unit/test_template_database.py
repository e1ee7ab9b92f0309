"""What stands in front of the stack's database and beside it, on demand: a proxy, a standby."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from photogate.adapters.postgres.connecting import SOCKET_TIMEOUT_S
from tests.unit.test_deployment_order import RUNS, SERVING, before
from tests.unit.test_template import (
    FUNCTIONS,
    ROOT,
    TestConnections,
    resources,
    secrets_in,
    template,
    variables,
)

PROXY = resources("AWS::RDS::DBProxy")["RdsProxy"]
#: The notifier has no database.
READERS = {*SERVING} - {"NotifyFunction"}
TARGET = resources("AWS::RDS::DBProxyTargetGroup")["RdsProxyTarget"]
#: What RDS Proxy keeps a connection for, says
#: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy-pinning.html
PINS = re.compile(
    r"""\bSET\s+(SESSION|TIME\s+ZONE|ROLE|search_path|work_mem|jit|\w+_(timeout|name))\b
    | \bset_config\s*\( | \b(LISTEN|DISCARD)\s | \b(PREPARE|DEALLOCATE|EXECUTE)\s
    | \bTEMP(ORARY)?\s+(TABLE|VIEW|SEQUENCE) | \bDECLARE\s+\w+\s+CURSOR
    | \b(next|set|curr|last)val\s*\( | \bpg_(try_)?advisory_(un)?lock""",
    re.VERBOSE,
)


def chosen(value: Any, **conditions: bool) -> Any:
    """Give what is left of a value when these conditions hold, and others do not."""
    if isinstance(value, dict):
        if "Fn::If" in value:
            name, yes, no = value["Fn::If"]
            return chosen(yes if conditions.get(name) else no, **conditions)
        return {key: chosen(inner, **conditions) for key, inner in value.items()}
    if isinstance(value, list):
        left = [chosen(inner, **conditions) for inner in value]
        return [inner for inner in left if inner != {"Ref": "AWS::NoValue"}]
    return value


DIRECT = {"Fn::GetAtt": "Database.Endpoint.Address"}
WITH = {"MakesDatabase": True, "MakesProxy": True}


class TestProxy:
    def test_it_is_only_there_on_demand(self) -> None:
        assert template()["Parameters"]["DatabaseProxy"]["Default"] == "false"
        for name in ("RdsProxy", "RdsProxyTarget", "ProxyRole", "ProxyGroup"):
            assert template()["Resources"][name]["Condition"] == "MakesProxy"

    @pytest.mark.parametrize("name", sorted(READERS))
    def test_who_serves_goes_through_it_and_checks_whose_it_is(self, name: str) -> None:
        through = chosen(variables(FUNCTIONS[name]), **WITH, HasDatabaseCa=True)
        assert through["DB_HOST"]["Fn::Select"][1][0] == {"Fn::GetAtt": "RdsProxy.Endpoint"}
        # RDS's own authorities did not sign its certificate.
        assert (through["DB_SSLMODE"], through["DB_CA_FILE"]) == (
            "verify-full",
            {"Ref": "AWS::NoValue"},
        )
        assert chosen(variables(FUNCTIONS[name]), MakesDatabase=True)["DB_HOST"] == DIRECT

    @pytest.mark.parametrize("proxy", [True, False])
    def test_who_migrates_goes_past_it(self, proxy: bool) -> None:
        conditions = {"MakesDatabase": True, "MakesProxy": proxy, "HasDatabaseCa": True}
        direct = chosen(variables(FUNCTIONS["MigrateFunction"]), **conditions)
        assert direct["DB_HOST"] == DIRECT
        assert (direct["DB_SSLMODE"], direct["DB_CA_FILE"]) == (
            "verify-full",
            {"Ref": "DatabaseCa"},
        )

    def test_it_signs_in_as_the_role_of_the_functions_that_the_migration_has_made(self) -> None:
        (auth,) = PROXY["Auth"]
        assert auth["SecretArn"] == {"Ref": "ApplicationSecret"}
        assert secrets_in(resources("AWS::IAM::Role")["ProxyRole"]) == {"ApplicationSecret"}
        assert before("RdsProxyTarget") >= {*RUNS, "DatabaseInstance"}
        # Nobody is sent there earlier.
        assert all("RdsProxyTarget" in before(name) for name in READERS)
        assert not before("MigrateFunction") & {"RdsProxy", "RdsProxyTarget"}

    def test_nobody_else_gets_to_it_and_all_is_encrypted(self) -> None:
        assert PROXY["RequireTLS"] is True
        (way,) = resources("AWS::EC2::SecurityGroup")["ProxyGroup"]["SecurityGroupIngress"]
        assert way["SourceSecurityGroupId"] == {"Ref": "FunctionsGroup"}
        ways = resources("AWS::EC2::SecurityGroup")["DatabaseGroup"]["SecurityGroupIngress"]
        groups = [rule["SourceSecurityGroupId"]["Ref"] for rule in chosen(ways, **WITH)]
        assert groups == ["FunctionsGroup", "ProxyGroup"]
        assert len(chosen(ways, MakesDatabase=True)) == 1

    def test_it_leaves_connections_for_the_migration(self) -> None:
        pool = TARGET["ConnectionPoolConfigurationInfo"]
        smallest = template()["Parameters"]["DatabaseMaxCapacity"]["MinValue"] * 189
        through_proxy = smallest * pool["MaxConnectionsPercent"] // 100
        # Five of the migration, three of the superuser.
        assert through_proxy + 5 + 3 <= smallest
        # All functions of the defaults find one, should the proxy keep one for each.
        assert TestConnections().most() - 5 <= through_proxy
        assert pool["ConnectionBorrowTimeout"] < SOCKET_TIMEOUT_S

    def test_nothing_that_serves_keeps_a_connection_of_it(self) -> None:
        folder = ROOT / "layers" / "core" / "photogate" / "adapters" / "postgres"
        found = {file.name for file in folder.glob("*.py") if PINS.search(file.read_text("utf-8"))}
        # The queue in PostgreSQL is not that of AWS; connecting.py sets what the role does not
        # have, and the migration gives it to the role of the functions.
        assert {name for name in found if not name.startswith("migrat")} == {
            "connecting.py",
            "queue.py",
        }


class TestStandby:
    def test_it_can_take_over_and_is_only_there_on_demand(self) -> None:
        assert template()["Parameters"]["DatabaseStandby"]["Default"] == "false"
        resource = template()["Resources"]["DatabaseStandbyInstance"]
        assert resource["Condition"] == "MakesStandby"
        # Up to 1, Aurora keeps it as large as the writer.
        assert resource["Properties"]["PromotionTier"] <= 1
        assert resource["Properties"]["DBClusterIdentifier"] == {"Ref": "Database"}

    def test_nothing_is_read_from_it(self) -> None:
        assert "ReadEndpoint" not in json.dumps(template())


def test_both_are_refused_where_there_is_no_database_of_the_stack() -> None:
    (assertion,) = template()["Rules"]["InFrontOfWhat"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "CreateDatabase"}, "true"]}


def test_the_docs_name_both() -> None:
    page = Path(ROOT / "docs" / "aws.md").read_text("utf-8")
    assert all(f"`{name}=true`" in page for name in ("DatabaseProxy", "DatabaseStandby"))

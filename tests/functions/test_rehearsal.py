"""A deployment is rehearsed: old code, the migration, both versions side by side, and back again.

Real are the functions' processes under Lambda's own emulator, the zip functions of the new version
as ``sam build`` packed them (when it packed them for the Python that runs the tests), PostgreSQL
with the owner's role and the functions' role, every migration, the models and the photos. The old
version is the last commit without the newest migrations, run from its sources with the libraries of
today. Played are S3, SQS and Secrets Manager (moto), the HTTP API, SQS's event source, aliases
and CloudFormation (here). The moderate function runs from its sources; ``make image-test`` runs
its image.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.client import ApiRefused
from local.home import Home
from photogate.adapters.postgres.migrate import shipped
from photogate.adapters.postgres.pool import connect, connect_arguments
from photogate.domain import Role
from tests.docs import ROOT
from tests.earlier import earlier_schema
from tests.emulator import PROGRAM
from tests.functions.answers import Answers
from tests.functions.rehearsing import Stack
from tests.functions.versions import Code, of_commit, present

pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="`make sam-build` runs it"),
    pytest.mark.slow,
]

Make = Callable[[str], Stack]
DOCS = (ROOT / "docs" / "aws.md").read_text("utf-8")


@pytest.fixture(scope="module")
def new() -> Code:
    """This checkout."""
    return present(
        os.environ.get("PHOTOGATE_ARTEFACTS"), os.environ.get("PHOTOGATE_RUNTIME", "python3.11")
    )


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Code:
    """The last commit before the newest migrations."""
    if (commit := earlier_schema()) is None:
        pytest.skip("there is no history with a commit before the newest migration")
    return of_commit(commit, tmp_path_factory.mktemp("old"))


@pytest.fixture
def make_stack(postgres_url: str, moto_server: str, home: Home, tmp_path: Path) -> Iterator[Make]:
    """Make stacks, each with a database of its own."""
    with ExitStack() as opened:
        server = connect(connect_arguments(postgres_url))
        opened.callback(server.close)

        def make(name: str) -> Stack:
            database = f"of_{name.replace('-', '_')}"
            server.run(f"CREATE DATABASE {database}")
            opened.callback(server.run, f"DROP DATABASE {database} WITH (FORCE)")
            url = urlsplit(postgres_url)._replace(path=f"/{database}").geturl()
            stack = Stack(name, url=url, moto=moto_server, home=home, folder=tmp_path)
            opened.callback(stack.close)
            return stack

        yield make


def serves(stack: Stack, photo: bytes, user: str) -> None:
    """A photo goes all the way, and staff see the figures."""
    stack.hand_in(user, photo)
    assert stack.states(user) == ["pending"]
    assert stack.deliver() >= 1
    assert stack.states(user) == ["approved"]
    (shown,) = stack.client(user).photos()
    assert stack.client(user).picture(f"/users/media/{shown['id']}/photo")
    staff = stack.client("staff", Role.ADMIN)
    assert staff.call("GET", "/admin/queue-stats")["queue"]["pending_media"] == 0
    for version in stack.live:
        assert set(version["sweep"].invoke({}).values()) == {0}


def smoke(stack: Stack) -> int:
    """Run the command with which docs/aws.md looks for the first verdict; gives its exit status."""
    command = re.search(r"photogate (smoke \d+ --url) ", DOCS)
    assert command
    environment = {"JWT_SECRET": stack.secret, "PHOTOGATE_HOME": str(stack.folder / "none")}
    with subprocess.Popen(
        [Path(sys.executable).with_name("photogate"), *command[1].split(), stack.url],
        env={**stack.environment, **environment},
        stdout=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            stack.deliver()
            time.sleep(0.2)
    return process.returncode


def newest(stack: Stack) -> int:
    (row,) = stack.owner("SELECT max(number) AS n FROM schema_migrations")
    return int(row["n"])


def refuse_last_step(stack: Stack, old: Code) -> None:
    """Put something in the way of the last statement of the migrations that are missing."""
    steps = [s for m in shipped() if m.number > old.schema for s in m.steps]
    last = [s.sql.strip() for s in steps if re.match(r"\s*(CREATE|ALTER)", s.sql)][-1]
    begins = last[:60].replace("'", "''")
    stack.owner(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF strpos(current_query(), '{begins}') > 0 THEN RAISE EXCEPTION 'not now'; END IF;"
        " END $$"
    )
    stack.owner("CREATE EVENT TRIGGER refusing ON ddl_command_start EXECUTE FUNCTION refuse()")


def test_a_deployment_and_the_way_back(
    make_stack: Make, answers: Answers, old: Code, new: Code, portrait: bytes
) -> None:
    stack = make_stack("photogate")
    before, after = stack.version(old), stack.version(new)
    assert "Reason" not in stack.migrate(before, answers, old=None)
    assert newest(stack) == old.schema
    stack.live = [before]
    serves(stack, portrait, "a")

    # The schema follows, once, while a photo waits and nothing of the new code serves.
    stack.hand_in("b", portrait)
    told = stack.migrate(after, answers, old=old)
    wanted = [m.name for m in shipped() if m.number > old.schema]
    assert told["Data"] == {"Applied": ", ".join(wanted), "Unfinished": "no"}
    assert newest(stack) == new.schema
    assert set(after.running) == {"migrate"}
    serves(stack, portrait, "c")
    assert stack.states("b") == ["approved"]

    # The roll-out: both versions share the traffic, then the new one has it all.
    stack.hand_in("d", portrait)
    stack.live = [before, after]
    for user in ("e1", "e2", "e3"):
        serves(stack, portrait, user)
    stack.live = [after]
    serves(stack, portrait, "f")

    # The way back, with a photo that the new code took in. The database is not even asked.
    stack.hand_in("g", portrait)
    stack.live = [before]
    assert stack.migrate(before, answers, old=new)["Data"] == {"Unfinished": "no"}
    serves(stack, portrait, "h")
    assert newest(stack) == new.schema
    for user in "abcdfgh":
        assert stack.states(user) == ["approved"], user

    # And the same version once more: there is nothing to migrate.
    assert stack.migrate(after, answers, old=old)["Data"]["Applied"] == "nothing"
    stack.live = [after]
    serves(stack, portrait, "i")
    # The page's last step.
    assert smoke(stack) == 0


def test_a_migration_that_fails_leaves_the_old_code_serving(
    make_stack: Make, answers: Answers, old: Code, new: Code, portrait: bytes
) -> None:
    stack = make_stack("photogate-failing")
    before, after = stack.version(old), stack.version(new)
    stack.migrate(before, answers, old=None)
    stack.live = [before]
    serves(stack, portrait, "a")

    refuse_last_step(stack, old)
    told = stack.migrate(after, answers, old=old)
    assert told["Status"] == "FAILED"
    assert told["Reason"].startswith(f"migration {shipped()[-1].name} failed: not now")
    assert "\n" not in told["Reason"]
    # Steps before it stay done, which the old code has to bear.
    assert old.schema <= newest(stack) < new.schema
    serves(stack, portrait, "b")
    # CloudFormation goes back to the old code and values.
    assert stack.migrate(before, answers, old=new)["Status"] == "SUCCESS"
    serves(stack, portrait, "c")

    # Deployed again, when nothing is in the way any more.
    stack.owner("DROP EVENT TRIGGER refusing")
    assert stack.migrate(after, answers, old=old)["Status"] == "SUCCESS"
    stack.live = [after]
    serves(stack, portrait, "d")


def test_two_stacks_keep_apart(
    make_stack: Make, answers: Answers, new: Code, portrait: bytes
) -> None:
    one, other = make_stack("photogate-one"), make_stack("photogate-other")
    for stack in (one, other):
        version = stack.version(new)
        stack.migrate(version, answers, old=None)
        stack.live = [version]
    one.hand_in("ada", portrait)
    assert other.deliver() == 0
    assert other.states("ada") == []
    serves(other, portrait, "bob")
    assert one.states("ada") == ["pending"]
    assert one.deliver() >= 1
    assert (one.states("ada"), one.states("bob")) == (["approved"], [])
    # Nobody of the one is known at the other.
    stranger = one.client("ada")
    stranger._url = f"{other.url}/api/v1"
    with pytest.raises(ApiRefused, match="401"):
        stranger.photos()
    for stack, user in ((one, "ada"), (other, "bob")):
        objects = stack.s3.list_objects_v2(Bucket=stack.name)["Contents"]
        assert objects
        uploads = [o["Key"] for o in objects if o["Key"].startswith("incoming/")]
        assert all(key.startswith(f"incoming/{user}/") for key in uploads)
        told = stack.metrics()
        assert any("Photos" in line for line in told)
        assert {line["stack"] for line in told} == {stack.name}
        for line in told:
            for sets in line["_aws"]["CloudWatchMetrics"]:
                assert all("stack" in dimensions for dimensions in sets["Dimensions"])

"""The servers that are broken on purpose, the size of a run, and its table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.home import Home
from photogate.settings import AdminSettings, ModerateSettings, SweepSettings, UploadSettings
from tests.conftest import _needed
from tests.faults.installation import Installation, Servers
from tests.faults.ledger import Account, Ledger
from tests.faults.photos import Album
from tests.faults.tally import Row, Tally

_TALLY = pytest.StashKey[Tally]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the faults did."""
    tally = terminalreporter.config.stash.get(_TALLY, None)
    if tally is not None and tally.rows:
        terminalreporter.write("\n" + tally.text())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a full run has the time for."""
    if config.getoption("--faults") == "full":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of each fault a run puts in."""

    full: bool
    seed: str

    def of(self, small: int, full: int) -> int:
        """Choose by the run's size."""
        return full if self.full else small

    @property
    def busy_s(self) -> float:
        """What other tests at the same time may add to a promised time; a full run has none."""
        return 0.0 if self.full else 120.0


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    """From ``--faults`` and ``--faults-seed``."""
    return Scale(
        full=pytestconfig.getoption("--faults") == "full",
        seed=str(pytestconfig.getoption("--faults-seed")),
    )


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config, scale: Scale) -> Tally:
    """The run's table."""
    tally = Tally(seed=scale.seed)
    pytestconfig.stash[_TALLY] = tally
    return tally


@pytest.fixture(scope="session")
def own_settings(bundle: Path, second_bundle: Path) -> Iterator[None]:
    """Nothing that this machine's environment names is touched, apart from the model."""
    with pytest.MonkeyPatch.context() as patch:
        for model in (UploadSettings, AdminSettings, ModerateSettings, SweepSettings):
            for name in model.model_fields:
                patch.delenv(name.upper(), raising=False)
        patch.setenv("MODEL_DIR", str(bundle))
        patch.setenv("SECOND_MODEL", str(second_bundle))
        yield


@pytest.fixture(scope="session")
def servers(own_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL and Redis for the whole folder."""
    servers = Servers(Home(tmp_path_factory.mktemp("faults")))

    def start() -> str:
        servers.start()
        return servers.database_url

    try:
        _needed(start, "PostgreSQL and Redis")
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def shared_installation(servers: Servers) -> Iterator[Installation]:
    """API and sweep on them."""
    installation = Installation(servers)
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()


@pytest.fixture
def installation(shared_installation: Installation, servers: Servers) -> Installation:
    """The same, with nothing in the queue."""
    servers.start()
    return shared_installation


@pytest.fixture
def ledger() -> Ledger:
    """What this test's clients were told."""
    return Ledger()


@pytest.fixture
def album(request: pytest.FixtureRequest, scale: Scale) -> Album:
    """This test's photos."""
    return Album(f"{scale.seed}/{request.node.name}")


#: Closes a test's books: fault, how often it was put in, recovery, a note.
Close = Callable[..., Account]


@pytest.fixture
def close(installation: Installation, ledger: Ledger, tally: Tally) -> Close:
    """Hold the ledger against the database, add a row to the table, and assert the invariants."""

    def close(
        fault: str,
        *,
        injected: int,
        recovery_s: float | None = None,
        note: str = "",
        at: Installation = installation,
        photos_of: Installation | None = None,
    ) -> Account:
        account = ledger.close(at.pool, (photos_of or at).store)
        tally.rows.append(
            Row(
                fault=fault,
                injected=injected,
                photos=account.photos,
                lost=account.lost,
                doubled=account.doubled,
                falsely_approved=account.falsely_approved,
                wrongly_shown=account.wrongly_shown,
                slowest_recovery_s=recovery_s,
                note=note,
            )
        )
        assert account.wrong == []
        assert (account.lost, account.doubled, account.falsely_approved) == (0, 0, 0)
        assert account.wrongly_shown == 0
        assert account.photos > 0
        return account

    return close

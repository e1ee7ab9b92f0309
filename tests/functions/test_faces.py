"""Photos that need a detector: verdicts by age, and none while a detector is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from aws_lambda_powertools.utilities.typing import LambdaContext
from PIL import Image

from functions.moderate import app
from local.samples import jpeg, photograph
from photogate import bootstrap
from photogate.adapters.faces_compreface import ComprefaceFaces
from photogate.adapters.postgres.pool import Pool
from photogate.auth import issue_token
from photogate.domain import Role
from photogate.errors import ConfigError
from photogate.messages import Job
from photogate.service.moderate import MAX_DELIVERIES
from photogate_vision.faces.detector import EmbeddedFaces
from tests.authors import conclude
from tests.compreface import KEY, Compreface
from tests.conftest import SECRET
from tests.contract.conftest import Fault, misbehaving
from tests.functions.conftest import Installation, make_copies, reset_bootstrap
from tests.functions.test_moderate import Context, event
from tests.records import PostgresRecords


@dataclass
class Switched:
    """A CompreFace that can be killed, and comes back where it was."""

    service: Compreface
    url: str = ""
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Serve, where it served before."""
        port = int(self.url.rpartition(":")[2] or 0)
        self.url = self._running.enter_context(self.service.serve(port=port))

    def kill(self) -> None:
        """Answer no more."""
        self._running.close()


@pytest.fixture
def compreface(faces_bundle: Path) -> Iterator[Switched]:
    switched = Switched(Compreface(EmbeddedFaces(faces_bundle)))
    switched.start()
    yield switched
    switched.kill()


@pytest.fixture
def dating(
    installation: Installation, compreface: Switched, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """An installation that decides by ``dating``."""
    monkeypatch.setenv("POLICY", "dating")
    monkeypatch.setenv("COMPREFACE_URL", compreface.url)
    monkeypatch.setenv("COMPREFACE_API_KEY", KEY)
    reset_bootstrap()
    return installation


@pytest.fixture
def profile(
    installation: Installation, faces_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    """An installation that decides by ``profile``, with the embedded detector."""
    monkeypatch.setenv("POLICY", "profile")
    monkeypatch.setenv("FACES_DIR", str(faces_bundle))
    reset_bootstrap()
    return installation


@pytest.fixture
def attempt(pool: Pool) -> Callable[[], bool]:
    """Deliver the one open batch once more; tells whether all of it has its verdict.

    Straight to the function, so that no retry has to be waited for.
    """

    def open_batches() -> list[dict[str, Any]]:
        return pool.transaction(
            lambda s: s.rows("SELECT id, generation FROM batches WHERE finished_at IS NULL")
        )

    def deliver() -> bool:
        (batch,) = open_batches()
        body = Job(batch_id=batch["id"], generation=batch["generation"]).encode()
        app.handler(event(body), cast(LambdaContext, Context()))
        return not open_batches()

    return deliver


def verdicts(installation: Installation) -> list[tuple[str, str | None]]:
    make_copies()
    photos = installation.client().photos()
    return [(photo["moderation_status"], photo["moderation_reason"]) for photo in photos]


@pytest.fixture(scope="module")
def couple() -> bytes:
    one = photograph("astronaut.png")
    both = Image.new("RGB", (1024, 512))
    both.paste(one)
    both.paste(one, (512, 0))
    return jpeg(both)


class TestAges:
    @pytest.mark.parametrize(
        ("age", "verdict"),
        [
            ((8, 12), ("rejected", "underage")),
            ((15, 20), ("review", None)),
            ((25, 32), ("approved", None)),
            (None, ("review", None)),
            ({"low": 25}, ("review", None)),
        ],
    )
    def test_a_class_becomes_a_verdict(
        self,
        dating: Installation,
        compreface: Switched,
        attempt: Callable[[], bool],
        portrait: bytes,
        age: Any,
        verdict: tuple[str, str | None],
    ) -> None:
        compreface.service.ages = [age]
        dating.hand_in(portrait)
        assert attempt()
        assert verdicts(dating) == [verdict]

    @pytest.mark.parametrize(
        ("ages", "verdict"),
        [
            ([(25, 32), (8, 12)], ("rejected", "underage")),
            ([(8, 12), (60, 100)], ("rejected", "underage")),
            # Nobody is too young; two are too many for this policy.
            ([(25, 32), (38, 43)], ("rejected", "group_photo")),
        ],
    )
    def test_of_several_faces_the_youngest_counts(
        self,
        dating: Installation,
        compreface: Switched,
        attempt: Callable[[], bool],
        couple: bytes,
        ages: list[Any],
        verdict: tuple[str, str],
    ) -> None:
        compreface.service.ages = ages
        dating.hand_in(couple)
        assert attempt()
        assert verdicts(dating) == [verdict]

    def test_the_scores_tell_ages_and_no_genders(
        self,
        dating: Installation,
        attempt: Callable[[], bool],
        portrait: bytes,
        pool: Pool,
    ) -> None:
        dating.hand_in(portrait)
        attempt()
        (row,) = pool.transaction(lambda s: s.rows("SELECT moderation_scores FROM media"))
        scores = row["moderation_scores"]
        assert scores["estimated_age"] == {"low": 25, "high": 32}
        assert scores["faces"][0]["age"] == {"low": 25, "high": 32, "probability": 0.97}
        assert "gender" not in str(scores)


class TestCompreface:
    def test_killed_it_lets_nothing_through_and_revived_it_gives_verdicts(
        self,
        dating: Installation,
        compreface: Switched,
        attempt: Callable[[], bool],
        portrait: bytes,
    ) -> None:
        # given photos that arrive while it is dead
        compreface.kill()
        dating.hand_in(portrait, portrait)
        assert not attempt()
        assert verdicts(dating) == [("pending", None)] * 2
        # when it comes back
        compreface.start()
        reset_bootstrap()  # a process that knows of no outage need not wait for the next trial
        # then they get their verdicts
        assert attempt()
        assert verdicts(dating) == [("approved", None)] * 2

    def test_however_long_it_is_dead_nobody_has_work_from_it(
        self,
        dating: Installation,
        compreface: Switched,
        attempt: Callable[[], bool],
        portrait: bytes,
        pool: Pool,
    ) -> None:
        compreface.kill()
        dating.hand_in(portrait, portrait, portrait)
        for _ in range(2 * MAX_DELIVERIES):
            assert not attempt()
        assert conclude(PostgresRecords(pool)) == 0
        assert verdicts(dating) == [("pending", None)] * 3
        (row,) = pool.transaction(lambda s: s.rows("SELECT * FROM batches"))
        assert "CompreFace does not answer" in row["last_error"]
        assert (row["deliveries"], row["waits_for"]) == (0, "faces")
        compreface.start()
        reset_bootstrap()
        assert attempt()
        assert verdicts(dating) == [("approved", None)] * 3

    def test_one_that_stalls_is_down_too(
        self,
        dating: Installation,
        attempt: Callable[[], bool],
        portrait: bytes,
        pool: Pool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with misbehaving() as silent:
            silent.fault = Fault(then="stall")
            monkeypatch.setenv("COMPREFACE_URL", silent.url)
            monkeypatch.setenv("COMPREFACE_TIMEOUT_S", "0.5")
            reset_bootstrap()
            dating.hand_in(portrait, portrait, portrait)
            assert not attempt()
            # one photo and the probe, not every photo
            assert len(silent.bodies) == 2
        (row,) = pool.transaction(lambda s: s.rows("SELECT * FROM batches"))
        assert (row["deliveries"], row["waits_for"]) == (0, "faces")

    def test_a_key_that_was_taken_back_is_an_outage_until_it_is_mended(
        self,
        dating: Installation,
        compreface: Switched,
        attempt: Callable[[], bool],
        portrait: bytes,
        pool: Pool,
    ) -> None:
        compreface.service.keys.clear()
        dating.hand_in(portrait)
        # more often than an unforeseen fault would be tried
        for _ in range(4):
            assert not attempt()
        assert verdicts(dating) == [("pending", None)]
        (row,) = pool.transaction(lambda s: s.rows("SELECT retry_count FROM media"))
        assert row["retry_count"] == 0
        compreface.service.keys.add(KEY)
        reset_bootstrap()
        assert attempt()
        assert verdicts(dating) == [("approved", None)]

    def test_no_photo_is_begun_below_10_s(
        self, dating: Installation, compreface: Switched, portrait: bytes, pool: Pool
    ) -> None:
        class Short(Context):
            def get_remaining_time_in_millis(self) -> int:
                return 9_900

        dating.hand_in(portrait, portrait)
        (batch,) = pool.transaction(lambda s: s.rows("SELECT id, generation FROM batches"))
        body = Job(batch_id=batch["id"], generation=batch["generation"]).encode()
        # when a delivery comes
        answer = app.handler(event(body), cast(LambdaContext, Short()))
        # then it is handed back in order rather than ended from outside
        assert answer["batchItemFailures"]
        assert compreface.service.requests == 0
        rows = pool.transaction(lambda s: s.rows("SELECT retry_count FROM media"))
        assert [row["retry_count"] for row in rows] == [0, 0]

    def test_a_timeout_that_leaves_no_time_is_refused(
        self, dating: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMPREFACE_TIMEOUT_S", "30")
        monkeypatch.setenv("JOB_DEADLINE_S", "60")
        reset_bootstrap()
        with pytest.raises(ConfigError, match=r"COMPREFACE_TIMEOUT_S \+ 4 may be at most half"):
            app.parts()

    def test_deep_health_asks_it(self, dating: Installation, compreface: Switched) -> None:
        part = bootstrap.upload().health.probes["faces"].check()
        assert part["core"] == "reachable"
        compreface.kill()
        answer = requests.get(
            f"{dating.url}/api/v1/health?deep=1",
            headers={
                "Authorization": f"Bearer {issue_token('op', secret=SECRET, role=Role.ADMIN)}"
            },
            timeout=10,
        )
        assert answer.status_code == 503
        assert "CompreFace does not answer" in answer.json()["parts"]["faces"]["error"]

    def test_deep_health_waits_for_it_no_longer_than_its_function_may_run(
        self, dating: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COMPREFACE_TIMEOUT_S", "50")
        reset_bootstrap()
        probe = bootstrap.upload().health.probes["faces"]
        assert isinstance(probe, ComprefaceFaces)
        # It asks twice, and template.yaml gives the upload function 20 s.
        assert 2 * probe.longest_wait_s < 18

    def test_a_policy_without_faces_contacts_nobody(
        self,
        dating: Installation,
        compreface: Switched,
        attempt: Callable[[], bool],
        portrait: bytes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("POLICY", "community")
        reset_bootstrap()
        dating.hand_in(portrait)
        assert attempt()
        assert verdicts(dating) == [("approved", None)]
        assert "faces" not in bootstrap.upload().health.probes
        assert compreface.service.requests == 0


class TestEmbeddedDetectors:
    @pytest.mark.parametrize("part", ["model", "full range", "short range"])
    def test_a_failing_network_lets_nothing_through(
        self,
        profile: Installation,
        attempt: Callable[[], bool],
        portrait: bytes,
        monkeypatch: pytest.MonkeyPatch,
        part: str,
    ) -> None:
        # given a network whose runtime refuses what it is asked, as it would out of memory
        analyzer: Any = app.parts().analyzer
        networks = {
            "model": analyzer._model,
            "full range": analyzer._faces._full,
            "short range": analyzer._faces._short,
        }
        other = networks["model" if part != "model" else "short range"]._session
        profile.hand_in(portrait, portrait)
        with monkeypatch.context() as patch:
            patch.setattr(networks[part], "_session", other)
            for _ in range(4):
                assert not attempt()
            assert verdicts(profile) == [("pending", None)] * 2
        # when it works again, then so do verdicts
        assert attempt()
        assert verdicts(profile) == [("approved", None)] * 2


class TestPoliciesThatCannotRun:
    @pytest.mark.parametrize(
        ("policy", "words"),
        [
            ("dating", "POLICY=dating needs ages: set COMPREFACE_URL and COMPREFACE_API_KEY"),
            ("profile", "POLICY=profile counts faces: set FACES_DIR"),
        ],
    )
    def test_it_is_refused_with_the_way_out(
        self,
        installation: Installation,
        monkeypatch: pytest.MonkeyPatch,
        policy: str,
        words: str,
    ) -> None:
        monkeypatch.setenv("POLICY", policy)
        reset_bootstrap()
        for start in (app.parts, bootstrap.check_settings):
            with pytest.raises(ConfigError, match=words):
                start()

    def test_faces_without_ages_are_not_enough_for_dating(
        self, profile: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("POLICY", "dating")
        reset_bootstrap()
        with pytest.raises(ConfigError, match="needs ages"):
            app.parts()

"""``dating`` on one machine, with a server that keeps CompreFace's contract."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from local.client import Upload
from local.home import free_port
from photogate_vision.faces.detector import EmbeddedFaces
from tests.compreface import FOREIGN_KEY, KEY, Compreface
from tests.e2e.running import PHOTOGATE, RunningStack, clean_environment


@pytest.fixture
def compreface(faces_bundle: Path) -> Compreface:
    return Compreface(EmbeddedFaces(faces_bundle))


@pytest.fixture
def photo(portrait: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(portrait)
    return path


def photogate(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PHOTOGATE, *arguments],
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestCheck:
    def test_ages_decide(self, compreface: Compreface, photo: Path, bundle: Path) -> None:
        compreface.ages = [(8, 12)]
        with compreface.serve() as url:
            done = photogate(
                *("check", "--json", "--policy", "dating", photo),
                COMPREFACE_URL=url,
                COMPREFACE_API_KEY=KEY,
            )
        assert done.stderr == ""
        checked = json.loads(done.stdout)
        assert (checked["status"], checked["reason"]) == ("rejected", "underage")
        assert checked["scores"]["estimated_age"] == {"low": 8, "high": 12}

    def test_an_outage_and_a_wrong_key_are_told_and_approve_nothing(
        self, compreface: Compreface, photo: Path, bundle: Path
    ) -> None:
        dead = f"http://127.0.0.1:{free_port()}"
        with compreface.serve() as url:
            for where, key, words in (
                (dead, KEY, "CompreFace does not answer"),
                (url, FOREIGN_KEY, "COMPREFACE_API_KEY"),
            ):
                done = photogate(
                    *("check", "--json", "--policy", "dating", photo),
                    COMPREFACE_URL=where,
                    COMPREFACE_API_KEY=key,
                )
                checked = json.loads(done.stdout)
                assert checked["status"] == "review"
                assert words in checked["error"]

    def test_an_explanation_never_says_that_nothing_is_wrong_with_what_was_not_looked_at(
        self, photo: Path, bundle: Path
    ) -> None:
        done = photogate(
            *("check", "--explain", "--policy", "dating", photo),
            COMPREFACE_URL=f"http://127.0.0.1:{free_port()}",
            COMPREFACE_API_KEY=KEY,
        )
        assert "portrait.jpg: review: CompreFace does not answer" in done.stdout
        assert "no rule has anything against it" not in done.stdout

    @pytest.mark.parametrize(
        ("environment", "words"),
        [
            ({}, "dating needs ages: set COMPREFACE_URL and COMPREFACE_API_KEY"),
            ({"COMPREFACE_URL": "http://127.0.0.1:1"}, "go together"),
            (
                {"COMPREFACE_URL": "http://127.0.0.1:1", "COMPREFACE_API_KEY": "k"},
                "COMPREFACE_API_KEY: must be a UUID",
            ),
        ],
    )
    def test_half_an_installation_is_refused_in_one_line(
        self, photo: Path, bundle: Path, environment: dict[str, str], words: str
    ) -> None:
        done = photogate("check", "--policy", "dating", photo, **environment)
        assert done.returncode != 0
        assert words in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


@pytest.mark.slow
class TestStack:
    @pytest.mark.parametrize(
        ("environment", "words"),
        [
            ({}, "POLICY=dating needs ages"),
            ({"COMPREFACE_URL": "URL", "COMPREFACE_API_KEY": FOREIGN_KEY}, "does not know the key"),
        ],
    )
    def test_what_cannot_work_ends_it_in_one_line(
        self, compreface: Compreface, tmp_path: Path, environment: dict[str, str], words: str
    ) -> None:
        with compreface.serve() as url:
            if environment:
                environment = {**environment, "COMPREFACE_URL": url}
            done = photogate(
                *("up", "--port", str(free_port())),
                POLICY="dating",
                PHOTOGATE_HOME=str(tmp_path / "home"),
                **environment,
            )
        assert done.returncode != 0
        assert words in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr

    def test_it_starts_before_compreface_does_and_works_once_that_is_there(
        self, compreface: Compreface, tmp_path: Path, portrait: bytes
    ) -> None:
        # given a stack whose face service is not up yet
        port = free_port()
        stack = RunningStack(
            tmp_path / "home",
            POLICY="dating",
            COMPREFACE_URL=f"http://127.0.0.1:{port}",
            COMPREFACE_API_KEY=KEY,
        )
        try:
            assert "warning: CompreFace does not answer" in " ".join(stack.said().split())
            # when that comes up, and a photo comes in
            with compreface.serve(port=port):
                client = stack.client("u-1")
                key = client.put(Upload(name="x", data=portrait))
                client.complete([key])
                photo = client.wait([key])[key]
                client.close()
            # then it gets its verdict
            assert photo["moderation_status"] == "approved"
        finally:
            stack.stop()

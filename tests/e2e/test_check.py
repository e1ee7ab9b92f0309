"""``photogate check``, as it is typed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from local.samples import sample_photos
from tests.e2e.test_stack import PHOTOGATE


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PHOTOGATE, "check", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> list[Path]:
    """The demo's photos as files."""
    folder = tmp_path_factory.mktemp("samples")
    paths = []
    for upload in sample_photos():
        paths.append(folder / upload.name)
        paths[-1].write_bytes(upload.data)
    return paths


def test_json_gives_one_object_a_line(samples: list[Path]) -> None:
    done = check("--json", *samples)
    assert (done.returncode, done.stderr) == (0, "")
    found = {Path(o["file"]).name: o for o in map(json.loads, done.stdout.splitlines())}
    assert {name: (o["status"], o["reason"]) for name, o in found.items()} == {
        "portrait.jpg": ("approved", None),
        "cat.jpg": ("approved", None),
        "blurred.jpg": ("rejected", "blurry"),
        "tiny.jpg": ("rejected", "too_small"),
        "broken.jpg": ("rejected", "unreadable"),
    }
    assert set(found["cat.jpg"]) == {"file", "status", "reason", "scores", "duration_ms"}
    scores = found["blurred.jpg"]["scores"]
    assert scores["rule"]["name"] == "blur_variance"
    assert scores["rule"]["value"] < scores["rule"]["bound"]
    assert (scores["width"], scores["height"], scores["format"]) == (512, 512, "JPEG")
    assert len(scores["sha256"]) == len(scores["model"]) == 64
    assert "nsfw_scores" not in found["broken.jpg"]["scores"]
    assert "truncated" in found["broken.jpg"]["scores"]["detail"]


def test_a_profile_needs_a_face(samples: list[Path]) -> None:
    done = check("--json", "--policy", "profile", *samples[:2])
    portrait, cat = map(json.loads, done.stdout.splitlines())
    assert (portrait["status"], portrait["scores"]["face_count"]) == ("approved", 1)
    assert (cat["status"], cat["reason"], cat["scores"]["has_face"]) == (
        "rejected",
        "no_face",
        False,
    )
    assert cat["scores"]["policy"] == "profile@1"


def test_the_table_is_for_people(samples: list[Path]) -> None:
    done = check(*samples)
    assert done.returncode == 0
    assert "portrait.jpg" in done.stdout
    assert "too_small" in done.stdout


def test_a_missing_file_is_told_and_the_others_are_moderated(
    samples: list[Path], tmp_path: Path
) -> None:
    done = check("--json", tmp_path / "nope.jpg", samples[0], tmp_path)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert "nope.jpg: No such file or directory" in done.stderr
    assert "Is a directory" in done.stderr


@pytest.mark.parametrize(
    ("option", "words"), [("--policy", "there is no preset"), ("--model", "no model is called")]
)
def test_an_unknown_choice_is_named(samples: list[Path], option: str, words: str) -> None:
    done = check(option, "nonsense", samples[0])
    assert done.returncode == 1
    assert words in done.stderr

"""``photogate check``, as it is typed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from local.samples import sample_photos
from tests.e2e.running import PHOTOGATE

ROOT = Path(__file__).parents[2]


def check(
    *arguments: str | Path, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PHOTOGATE, "check", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env=os.environ | environment,
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
        "couple.jpg": ("rejected", "group_photo"),
        "cat.jpg": ("rejected", "no_face"),
        "blurred.jpg": ("rejected", "blurry"),
        "tiny.jpg": ("rejected", "too_small"),
        "broken.jpg": ("rejected", "unreadable"),
    }
    assert set(found["cat.jpg"]) == {"file", "status", "reason", "scores", "duration_ms"}
    scores = found["blurred.jpg"]["scores"]
    assert scores["rule"]["name"] == "blur_variance"
    assert scores["rule"]["value"] < scores["rule"]["bound"]
    assert (scores["width"], scores["height"], scores["format"]) == (512, 512, "JPEG")
    assert (len(scores["sha256"]), len(scores["model"])) == (64, 64 + 1 + 64)
    assert "nsfw_scores" not in found["broken.jpg"]["scores"]
    assert "truncated" in found["broken.jpg"]["scores"]["detail"]


def test_the_policy_can_be_chosen(samples: list[Path]) -> None:
    cat = [path for path in samples if path.name == "cat.jpg"]
    (profile,) = map(json.loads, check("--json", *cat).stdout.splitlines())
    (community,) = map(
        json.loads, check("--json", "--policy", "community", *cat).stdout.splitlines()
    )
    assert (profile["reason"], profile["scores"]["has_face"]) == ("no_face", False)
    assert profile["scores"]["policy"] == "profile@4"
    assert (community["status"], community["scores"]["policy"]) == ("approved", "community@4")
    assert "has_face" not in community["scores"]


@pytest.mark.slow
def test_the_second_model_can_be_chosen(samples: list[Path]) -> None:
    cat = next(path for path in samples if path.name == "cat.jpg")
    for choice, opinions in (("none", set()), ("opennsfw", {"opennsfw"})):
        done = check("--json", cat, SECOND_MODEL=choice)
        assert set(json.loads(done.stdout)["scores"]["opinions"]) == opinions
    for choice, words in (
        ("nonsense", "no model is called 'nonsense'"),
        ("mobilenet_v2", "mobilenet_v2 has two seats"),
        ("./gone", "gone/manifest.json cannot be read"),
    ):
        done = check("--json", cat, SECOND_MODEL=choice)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr


@pytest.mark.slow
def test_a_third_model_can_be_asked(samples: list[Path], third_bundle: Path) -> None:
    cat = next(path for path in samples if path.name == "cat.jpg")
    done = check("--json", "--policy", "community", cat, THIRD_MODEL="swiftformer")
    verdict = json.loads(done.stdout)
    assert verdict["status"] == "approved"
    assert set(verdict["scores"]["third"]["swiftformer"]) == {"gore", "explicit", "neutral"}
    explained = check("--explain", "--policy", "community", cat, THIRD_MODEL=str(third_bundle))
    assert "third.gore" in explained.stdout


def test_an_explanation_shows_each_rule_and_the_one_that_decided(samples: list[Path]) -> None:
    told = check("--explain", *samples).stdout
    assert "portrait.jpg: approved: no rule has anything against it" in told
    assert "couple.jpg: rejected: number of faces is 2, above 1" in told
    (decided,) = re.findall(r"blur_variance ◀ decided.*", told)
    assert "below 35" in decided
    assert "below 10" in decided
    assert re.search(r"broken\.jpg: rejected: not a readable photo", told)


def test_the_table_is_for_people(samples: list[Path]) -> None:
    done = check(*samples)
    assert done.returncode == 0
    assert "portrait.jpg" in done.stdout
    assert "too_small" in done.stdout


def test_a_missing_file_is_told_and_the_others_are_moderated(
    samples: list[Path], tmp_path: Path
) -> None:
    done = check("--json", tmp_path / "nope.jpg", samples[0])
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1
    assert "nope.jpg: No such file or directory" in done.stderr
    empty = check(tmp_path)
    assert (empty.returncode, empty.stdout) == (1, "")
    assert "there are no pictures in" in empty.stderr


@pytest.fixture
def album(samples: list[Path], tmp_path: Path) -> Path:
    """Folders of pictures, with what is none among them."""
    by_name = {path.name: path for path in samples}
    for folder in ("pets", "people/old", ".hidden"):
        (tmp_path / "album" / folder).mkdir(parents=True)
    for name, place in (
        ("cat.jpg", "pets/<b>cat&.jpg"),
        ("portrait.jpg", "people/old/me.jpg"),
        ("broken.jpg", "people/=broken.jpg"),
        ("tiny.jpg", ".hidden/tiny.jpg"),
    ):
        (tmp_path / "album" / place).write_bytes(by_name[name].read_bytes())
    (tmp_path / "album" / "pets" / "notes.txt").write_text("no picture")
    return tmp_path


FOUND = {
    "album/people/=broken.jpg": "rejected",
    "album/people/old/me.jpg": "approved",
    "album/pets/<b>cat&.jpg": "rejected",
}


def test_folders_keep_their_names_and_are_counted(album: Path) -> None:
    done = check("album", folder=album)
    assert done.returncode == 0
    for name in FOUND:
        assert name.removeprefix("album/") in done.stdout
    counted = "3 photos: 1 approved, 2 rejected (unreadable 1, no_face 1), 0 to a person"
    assert counted in done.stderr


def test_a_spreadsheet_takes_a_row_for_each(album: Path) -> None:
    done = check("--csv", "album", folder=album)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["file"].lstrip("'"): row["status"] for row in rows} == FOUND
    assert rows[0]["reason"] == "unreadable"
    assert "face" in rows[2]["why"]
    assert float(rows[1]["explicit"]) < 0.5
    both = check("--csv", "--json", "album", folder=album)
    assert (both.returncode, both.stdout) == (1, "")
    assert "choose one" in both.stderr


def test_standard_input_is_a_photo(samples: list[Path]) -> None:
    data = samples[0].read_bytes()
    done = subprocess.run(
        [PHOTOGATE, "check", "--json", "-"],
        input=data,
        capture_output=True,
        timeout=60,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(done.stdout)
    assert (found["file"], found["status"]) == ("standard input", "approved")
    assert found["scores"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_page_shows_each_picture_and_nothing_of_the_file(album: Path) -> None:
    marked = album / "album" / "people" / "old" / "me.jpg"
    marked.write_bytes(marked.read_bytes() + b"serial number 4711")
    done = check("--html", "out.html", "album", folder=album)
    assert done.returncode == 0
    page = (album / "out.html").read_text(encoding="utf-8")
    assert "<small>pets/&lt;b&gt;cat&amp;.jpg" in page
    pictures = re.findall(r'<img alt="" src="data:image/jpeg;base64,([^"]+)">', page)
    assert len(pictures) == 2
    for picture in map(base64.b64decode, pictures):
        with Image.open(io.BytesIO(picture)) as image:
            assert max(image.size) == 320
        assert b"4711" not in picture
    assert page.count("no picture") == 1
    assert not re.search(r"<script|https?://", page)
    wrong = check("--html", "nowhere/out.html", "album", folder=album)
    assert wrong.returncode == 1
    assert "nowhere/out.html: No such file or directory" in wrong.stderr


@pytest.mark.slow
def test_a_bar_says_how_far_it_is(samples: list[Path], tmp_path: Path) -> None:
    for n in range(20):
        (tmp_path / f"{n}.jpg").write_bytes(samples[-1].read_bytes())
    assert "20/20" in check(".", folder=tmp_path).stderr
    assert "looking" not in check(*[f"{n}.jpg" for n in range(3)], folder=tmp_path).stderr


def at_a_terminal(command: str, folder: Path) -> str:
    """Run a shell's command as at a terminal of 80 columns; give what is seen there."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            ["sh", "-c", f"stty cols 80; {command}"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        seen = b""
        try:
            while part := terminal.read(4096):
                seen += part
        except OSError:
            pass  # Linux tells so that the other side was closed.
        assert process.wait(60) == 0, seen
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_bar_at_the_terminal_leaves_the_file_alone(
    samples: list[Path], tmp_path: Path, option: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n}.jpg").write_bytes(samples[-1].read_bytes())
    told = tmp_path / "told"
    command = f"{shlex.quote(str(PHOTOGATE))} check {option} ."
    seen = at_a_terminal(f"{command} > {shlex.quote(str(told))}", folder)
    assert "20/20" in seen
    assert "unreadable" not in seen.replace("(unreadable 20)", "")
    assert told.read_text().count("unreadable") >= 20
    assert "looking" not in at_a_terminal(command, folder)


def test_the_table_fits_80_columns(samples: list[Path]) -> None:
    command = shlex.join([str(PHOTOGATE), "check", *map(str, samples)])
    lines = at_a_terminal(command, samples[0].parent).splitlines()
    for word in ("portrait.jpg", "group_photo", "unreadable", "approved", "sharpness"):
        assert any(word in line for line in lines), word
    assert max(len(line) for line in lines if not line.startswith("· ")) <= 80


def test_a_name_that_is_no_text_is_no_obstacle(samples: list[Path], tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"odd\xff.jpg")).write_bytes(samples[0].read_bytes())
    done = subprocess.run(
        [PHOTOGATE, "check", "--csv", "--html", "out.html", "."],
        capture_output=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert done.returncode == 0, done.stderr
    assert b"odd\xff.jpg,approved" in done.stdout
    assert "odd?.jpg" in (tmp_path / "out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "words"), [("--policy", "there is no preset"), ("--model", "no model is called")]
)
def test_an_unknown_choice_is_named(samples: list[Path], option: str, words: str) -> None:
    done = check(option, "nonsense", samples[0])
    assert done.returncode == 1
    assert words in done.stderr


class TestPolicyFiles:
    """The commands of ``docs/policies.md``, on its own example."""

    EXAMPLE = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "policies.md").read_text(encoding="utf-8"), re.S
    )[0]

    def test_a_file_decides(self, samples: list[Path], tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text(self.EXAMPLE, encoding="utf-8")
        couple = next(path for path in samples if path.name == "couple.jpg")
        done = check("--policy", "mine.yaml", "--explain", couple, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        # Nothing in it asks for a single face.
        assert "couple.jpg: approved" in done.stdout
        decided = check("--policy", "mine.yaml", "--json", couple, folder=tmp_path).stdout
        assert re.fullmatch(r"mine@1\+[0-9a-f]{8}", json.loads(decided)["scores"]["policy"])

    def test_the_part_that_decided_is_named(self, samples: list[Path], tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text(
            "name: mine\nversion: 1\nrequired: [nsfw.least]\nrules:\n"
            "  - {measure: nsfw.least, reason: nsfw, reject_above: 0.9}\n"
            "  - {measure: nsfw.tile, reason: nsfw, review_above: 0.000001}\n"
        )
        couple = next(path for path in samples if path.name == "couple.jpg")
        done = check("--policy", "mine.yaml", "--explain", couple, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(
            r"couple\.jpg: review: probability of explicit content in one part of the photo is"
            r" [\d.e-]+, above 1e-06 \((upper|lower) (left|right) part\) ",
            " ".join(done.stdout.split()),
        )

    def test_a_mistake_is_one_line(self, samples: list[Path], tmp_path: Path) -> None:
        wrong = self.EXAMPLE.replace("reject_below: 8", "reject_below: 40")
        (tmp_path / "mine.yaml").write_text(wrong, encoding="utf-8")
        done = check("--policy", "mine.yaml", samples[0], folder=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("photogate: mine.yaml, line 15, rule 3, review_below: ")
        assert "Traceback" not in done.stderr

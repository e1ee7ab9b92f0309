"""Labels, the notebook, figures, other bounds and flips: everything but looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local.evaluation.comparison import flips
from local.evaluation.figures import Figures, figures, unreadable
from local.evaluation.labels import Expected, Labelled, expectations, read_labels
from local.evaluation.measuring import Measurements
from local.evaluation.notebook import Measured, Notebook
from local.evaluation.sweep import sweep
from photogate.domain import Reason, Signals, Status
from photogate.domain.policy import Policy, Threshold
from photogate.errors import ConfigError

POLICY = Policy(
    name="mine",
    version=1,
    required=frozenset({"blur_variance"}),
    thresholds=(
        Threshold(
            measure="blur_variance", reason=Reason.BLURRY, reject=10, review=35, worse="below"
        ),
    ),
)


def measured(value: float, name: str) -> Measured:
    return Measured(sha256=name, looks=(Signals(blur_variance=value),))


@pytest.fixture
def judged() -> Callable[[dict[str, tuple[Expected, float]]], Figures]:
    """Judge pictures of these names, expectations and sharpness."""

    def make(given: dict[str, tuple[Expected, float]]) -> Figures:
        pictures = [
            Labelled(path=Path(name), name=name, label=expected.value, expected=expected)
            for name, (expected, _) in given.items()
        ]
        found = Measurements(of={name: measured(v, name) for name, (_, v) in given.items()})
        return figures(pictures, found, POLICY, "one model")

    return make


class TestLabels:
    def test_a_folder_for_each_label(self, tmp_path: Path) -> None:
        for name in ("cats/a.jpg", "cats/deep/b.jpg", "approve/c.jpg", ".hidden/d.jpg", "e.jpg"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        found = read_labels(tmp_path, {"cats": Expected.REJECT})
        assert found.problems == []
        assert {p.name: (p.label, p.expected) for p in found.pictures} == {
            "cats/a.jpg": ("cats", Expected.REJECT),
            "cats/deep/b.jpg": ("cats", Expected.REJECT),
            "approve/c.jpg": ("approve", Expected.APPROVE),
        }

    def test_a_csv_and_one_line_for_each_row_that_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").touch()
        source = tmp_path / "labels.csv"
        source.write_text(
            "\ufefffile,label,note\na.jpg, reject,x\ngone.jpg,reject,\na.jpg,odd,\na.jpg,,\n"
        )
        found = read_labels(source, {})
        assert [p.expected for p in found.pictures] == [Expected.REJECT]
        assert found.problems == [
            "gone.jpg: there is no such file",
            "a.jpg: the label 'odd' does not say what should happen:"
            " --expect odd=approve, reject or either",
            "a.jpg: the label '' does not say what should happen:"
            " --expect LABEL=approve, reject or either",
        ]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("name,kind\na,b\n", "must name the columns file and label, not name, kind"),
            ("", "must name the columns file and label, not nothing"),
            ("file,label\n", "there is no row below the names of the columns"),
        ],
    )
    def test_a_csv_that_says_nothing(self, tmp_path: Path, text: str, words: str) -> None:
        (tmp_path / "labels.csv").write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_labels(tmp_path / "labels.csv", {})

    def test_bytes_that_are_no_csv(self, tmp_path: Path) -> None:
        (tmp_path / "labels.csv").write_bytes(b"file,label\n\xff\xfe\x00,approve\n")
        with pytest.raises(ConfigError, match="this is no CSV in UTF-8"):
            read_labels(tmp_path / "labels.csv", {})

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="there is no such folder or CSV"):
            read_labels(tmp_path / "gone", {})
        with pytest.raises(ConfigError, match="one folder for each label"):
            read_labels(tmp_path, {})

    @pytest.mark.parametrize("text", ["cats", "cats=", "=reject", "cats=delete"])
    def test_expectations_that_say_nothing(self, text: str) -> None:
        with pytest.raises(ConfigError, match="write LABEL=approve, LABEL=reject or LABEL=either"):
            expectations([text])


class TestNotebook:
    def test_keeps_what_was_measured(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "one.jsonl"
        first = Notebook(path)
        first.add([measured(3.5, "a"), Measured(sha256="b", refused=Reason.UNREADABLE, detail="!")])
        first.close()
        again = Notebook(path)
        assert again.get("a") == measured(3.5, "a")
        assert again.get("b") == Measured(sha256="b", refused=Reason.UNREADABLE, detail="!")
        assert again.get("c") is None
        assert path.stat().st_mode & 0o077 == 0
        again.close()

    @pytest.mark.parametrize("rest", [b'{"sha2', b'{"sha256": "b"', b"\x00\xff\n", b'{"x": 1}\n'])
    def test_what_a_killed_run_left_is_cut_off(self, tmp_path: Path, rest: bytes) -> None:
        path = tmp_path / "one.jsonl"
        first = Notebook(path)
        first.add([measured(3.5, "a")])
        first.close()
        with path.open("ab") as file:
            file.write(rest)
        second = Notebook(path)
        second.add([measured(4.5, "b")])
        second.close()
        third = Notebook(path)
        assert (third.get("a"), third.get("b")) == (measured(3.5, "a"), measured(4.5, "b"))
        third.close()


class TestFigures:
    def test_counts_by_label_and_by_what_should_happen(
        self, judged: Callable[..., Figures]
    ) -> None:
        found = judged(
            {
                "missed": (Expected.REJECT, 50.0),
                "caught": (Expected.REJECT, 5.0),
                "looked at": (Expected.REJECT, 20.0),
                "alarm": (Expected.APPROVE, 5.0),
                "good": (Expected.APPROVE, 50.0),
                "whatever": (Expected.EITHER, 5.0),
            }
        )
        assert (found.recall.hits, found.recall.of) == (2, 3)
        assert (found.false_alarms.hits, found.false_alarms.of) == (1, 2)
        assert (found.to_people.hits, found.to_people.of) == (1, 6)
        assert found.reasons() == {"blurry": 3}
        assert [j.picture.name for j in found.worst()] == ["missed", "alarm"]
        (expected, counted) = found.by_label()["reject"]
        assert (expected, counted.pictures, counted.rejected.hits) == (Expected.REJECT, 3, 1)

    def test_bytes_that_are_no_photo_are_named_and_not_counted(self) -> None:
        picture = Labelled(path=Path("a"), name="a", label="x", expected=Expected.APPROVE)
        refused = Measured(sha256="a", refused=Reason.TOO_LARGE)
        found = Measurements(of={"a": refused})
        assert figures([picture], found, POLICY, "").judged == ()
        assert unreadable([picture], found) == ["a: larger than photos may be"]

    def test_other_bounds(self, judged: Callable[..., Figures]) -> None:
        found = judged(
            {f"{n}": (Expected.REJECT if n < 5 else Expected.APPROVE, 10.0 * n) for n in range(10)}
        )
        reject, review = sweep(found)
        assert (reject.name, review.name) == (
            "blur_variance reject_below",
            "blur_variance review_below",
        )
        assert [t.value for t in reject.tried if t.own] == [10]
        alarms = [t.false_alarms.hits for t in reject.tried]
        assert alarms == sorted(alarms)
        assert (alarms[0], alarms[-1]) == (0, 4)
        for tried in review.tried:
            bound = tried.value
            missed = sum(10.0 * n >= max(bound, 10) for n in range(5))
            assert tried.recall.hits == 5 - missed

    def test_flips_say_which_of_two_is_nearer(self, judged: Callable[..., Figures]) -> None:
        found = judged(
            {
                "gain": (Expected.REJECT, 50.0),
                "loss": (Expected.APPROVE, 50.0),
                "whatever": (Expected.EITHER, 50.0),
                "same": (Expected.APPROVE, 500.0),
            }
        )
        stricter = replace(
            POLICY, thresholds=(replace(POLICY.thresholds[0], reject=None, review=60),)
        )
        differ = {f.first.picture.name: f for f in flips(found, found.under(stricter))}
        assert {name: flip.gain for name, flip in differ.items()} == {
            "gain": 1,
            "loss": -1,
            "whatever": 0,
        }
        assert differ["gain"].second.verdict.status is Status.REVIEW

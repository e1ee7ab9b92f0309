"""Policies as files: the presets, the language and what it refuses, and ``docs/policies.md``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from photogate.domain import Reason
from photogate.domain.measures import Side
from photogate.domain.policy import REASONS, Policy, Threshold
from photogate.errors import ConfigError
from photogate.policies import PRESETS, load, preset, read
from photogate.policies.document import schema

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "layers" / "core" / "photogate" / "policies"
DOCS = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")


def rule(
    measure: str, reason: Reason, reject: float | None, review: float | None, worse: Side = "above"
) -> Threshold:
    return Threshold(measure=measure, reason=reason, reject=reject, review=review, worse=worse)


PICTURE = (
    rule("nsfw.least", Reason.NSFW, 0.90, None),
    rule("nsfw.shared", Reason.NSFW, None, 0.50),
    rule("nsfw.unsafe", Reason.NSFW, None, 0.90),
    rule("nsfw.second", Reason.NSFW, None, 0.30),
    rule("nsfw.tile", Reason.NSFW, None, 0.30),
    rule("third.explicit", Reason.NSFW, None, 0.50),
    rule("third.gore", Reason.NSFW, None, 0.50),
    rule("aspect", Reason.NSFW, None, 4),
    rule("colour_unsure", Reason.NSFW, None, 0),
    rule("short_side_px", Reason.TOO_SMALL, 200, None, "below"),
    rule("rms_contrast", Reason.BLANK, 2, 6, "below"),
    rule("blur_variance", Reason.BLURRY, 10, 35, "below"),
)
ONE_FACE = (
    rule("face_count", Reason.NO_FACE, 1, None, "below"),
    rule("face_count", Reason.GROUP_PHOTO, 1, None),
)
REQUIRED = frozenset(
    {"nsfw.explicit", "nsfw.least", "blur_variance", "rms_contrast", "short_side_px"}
)


class TestPresets:
    """Whoever changes a preset raises its version: its id alone tells what it says."""

    def test_community(self) -> None:
        assert preset("community") == Policy(
            name="community", version=4, required=REQUIRED, thresholds=PICTURE
        )

    def test_profile(self) -> None:
        assert preset("profile") == Policy(
            name="profile",
            version=4,
            required=REQUIRED | {"face_count"},
            thresholds=(*PICTURE, *ONE_FACE),
        )

    def test_dating(self) -> None:
        assert preset("dating") == Policy(
            name="dating",
            version=3,
            required=REQUIRED | {"face_count", "faces_without_age"},
            thresholds=(
                rule("age.high", Reason.UNDERAGE, 18, None, "below"),
                *PICTURE,
                *ONE_FACE,
                rule("age.low", Reason.UNDERAGE, None, 18, "below"),
                rule("faces_without_age", Reason.UNDERAGE, None, 0),
            ),
        )

    @pytest.mark.parametrize("name", PRESETS)
    def test_they_say_how_closely_to_look(self, name: str) -> None:
        assert preset(name).look == "normal"
        assert "\nlook: normal\n" in (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", PRESETS)
    def test_they_are_called_what_their_files_are_called(self, name: str) -> None:
        assert re.fullmatch(rf"{name}@\d+", preset(name).id)

    def test_these_are_there(self) -> None:
        assert PRESETS == ("community", "dating", "profile")


SOUND = """\
name: mine
version: 1
required: [nsfw.explicit, blur_variance, face_count]
rules:
  - measure: nsfw.explicit
    reason: nsfw
    reject_above: 0.9
    review_above: 0.5
  - measure: blur_variance
    reason: blurry
    reject_below: 10
    review_below: 35
  - {measure: face_count, reason: no_face, reject_below: 1}
"""


class TestFiles:
    def test_the_id_tells_which_content_decided(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        ids = []
        for text in (SOUND, f"# a remark\n{SOUND}", SOUND.replace("0.5", "0.4")):
            path.write_text(text, encoding="utf-8")
            ids.append(load(str(path)).id)
        assert re.fullmatch(r"mine@1\+[0-9a-f]{8}", ids[0])
        assert ids[0] == ids[1] != ids[2]

    def test_how_closely_to_look_is_part_of_what_it_says(self) -> None:
        silent = read(SOUND, "mine.yaml")
        close = read(f"{SOUND}look: close\n", "mine.yaml")
        assert (silent.look, close.look) == ("normal", "close")
        assert silent.id != close.id

    @pytest.mark.parametrize("name", PRESETS)
    def test_a_copy_of_a_preset_decides_alike_under_another_id(self, name: str) -> None:
        copy = load(str(FOLDER / f"{name}.yaml"))
        assert (copy.thresholds, copy.required) == (preset(name).thresholds, preset(name).required)
        assert copy.id.startswith(f"{preset(name).id}+")

    @pytest.mark.parametrize(
        ("choice", "words"),
        [
            ("mine", "POLICY: there is no preset 'mine'; choose community, dating, profile, or"),
            ("./no.yaml", "POLICY: cannot read ./no.yaml: No such file"),
            ("..", "there is no preset '..'"),
        ],
    )
    def test_what_is_not_there_is_refused(self, choice: str, words: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(words)):
            load(choice)

    def test_a_file_that_is_no_text_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        path.write_bytes(b"name: \xff")
        with pytest.raises(ConfigError, match="is not UTF-8"):
            load(str(path))


#: What is replaced in SOUND, by what, and what is said.
WRONG = [
    (
        "blur_variance\n",
        "blur\n",
        "line 9, rule 2, measure: there is no measure 'blur'; choose one",
    ),
    ("explicit\n", "explict\n", "line 5, rule 1, measure: there is no measure 'nsfw.explict'; did"),
    (", face_count]", ", faces]", "line 3, required: there is no measure 'faces'; choose one"),
    (
        "blurry",
        "blurred",
        "line 10, rule 2, reason: there is no reason for policies 'blurred'",
    ),
    ("blurry", "too_large", "line 10, rule 2, reason: there is no reason for policies 'too_large'"),
    ("0.5", "0.95", "line 8, rule 1, review_above: must lie below reject_above (0.9)"),
    ("0.5", "0.9", "line 8, rule 1, review_above: must lie below reject_above (0.9)"),
    ("35", "5", "line 12, rule 2, review_below: must lie above reject_below (10)"),
    ("0.9", "90", "line 7, rule 1, reject_above: 90 is no value of nsfw.explicit, which lies betw"),
    ("0.9", "1.0005", "line 7, rule 1, reject_above: 1.0005 is no value of nsfw.explicit"),
    ("0.9", "1", "line 7, rule 1, reject_above: can never hold: no value of nsfw.explicit lies"),
    ("10", "0", "line 11, rule 2, reject_below: can never hold: no value of blur_variance lies"),
    ("10", "-1", "line 11, rule 2, reject_below: -1 is no value of blur_variance, which lies from"),
    ("35", ".inf", "line 12, rule 2, review_below: inf is no value of blur_variance"),
    ("35", ".nan", "line 12, rule 2, review_below: nan is no value of blur_variance"),
    ("35", "yes", "line 12, rule 2, review_below: Input should be a valid number"),
    ("version: 1", "version: 1\nlook: 3", "line 3, look: Input should be 'fast', 'normal' or 'cl"),
    ("35", '"35"', "line 12, rule 2, review_below: Input should be a valid number"),
    ("review_below", "review_above", "line 9, rule 2: bounds a measure on both sides: make two"),
    (
        "reject_below: 10\n    review_below",
        "reject_above: 99\n    review_above",
        "line 11, rule 2, reject_above: doubtful values of blur_variance lie below a bound: write"
        " reject_below",
    ),
    (", reject_below: 1", "", "line 13, rule 3: has no bound and can never hold: give reject_"),
    (
        "{measure: face_count",
        "{measure: blur_variance",
        "line 13, rule 3, measure: rule 2 bounds blur_variance on the same side: join them",
    ),
    (
        "reject_below: 1}\n",
        "reject_below: 1}\n  - {measure: face_count, reason: group_photo, reject_above: 0}\n",
        "line 14, rule 4: no value of face_count passes both this rule and rule 3: leave room",
    ),
    (
        ", face_count]",
        "]",
        "line 13, rule 3, measure: a photo without face_count could not be refused as no_face: add"
        " face_count to `required`",
    ),
    (
        "    reject_below: 10",
        "    reject_belw: 10",
        "line 11, rule 2, reject_belw: there is no",
    ),
    ("version: 1\n", "", "line 1, version: is missing"),
    ("version: 1", "version: 0", "line 2, version: Input should be greater than or equal to 1"),
    ("name: mine", "name: My policy", "line 1, name: String should match pattern"),
    ("name: mine", "name: on", "line 1, name: Input should be a valid string"),
    ("version: 1", "version: 1\nversion: 2", "line 2, version: is given twice (again in line 3)"),
    (
        "    review_above: 0.5",
        "    reject_above: 0.5",
        "line 7, rule 1, reject_above: is given twice",
    ),
    (", face_count]", ", face_count, face_count]", "line 3, required: face_count is given twice"),
    ("rules:", "rules: []\nmore:", "line 4, rules: List should have at least 1 item"),
    ("[nsfw.explicit, blur_variance, face_count]", "[]", "line 3, required: List should have at"),
    ("name: mine", "name: [mine", "line 2: is no YAML: "),
    ("name: mine", "name: !!python/name:os.system x", "line 1: is no YAML: could not determine"),
    ("name: mine", "a: &a 1\nname: *a", "line 2: uses an alias (*): write the values out"),
    ("name: mine", "name: \x07", "line 1: is no YAML: special characters are not allowed"),
    ("version: 1", "version: 2026-99-99", "line 1: is no YAML: "),
    (SOUND, "", "line 1: is empty"),
    (SOUND, "- 1", "line 1, Input should be a valid dictionary"),
    (SOUND, f"{SOUND}---\n{SOUND}", "line 14: is no YAML: but found another document"),
]


@pytest.mark.parametrize(("old", "new", "words"), WRONG, ids=[w[2][:48] for w in WRONG])
def test_what_is_wrong_is_refused_with_line_field_and_way_out(
    old: str, new: str, words: str
) -> None:
    read(SOUND, "mine.yaml")
    wrong = SOUND.replace(old, new)
    assert wrong != SOUND
    with pytest.raises(ConfigError) as raised:
        read(wrong, "mine.yaml")
    assert f"mine.yaml, {words}" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = SOUND.replace("0.5", "0.95").replace("35", "5")
    with pytest.raises(ConfigError, match=r"line 8, .*; mine\.yaml, line 12, "):
        read(wrong, "mine.yaml")


def test_the_published_schema_is_current() -> None:
    """``python -m photogate.policies`` writes it anew."""
    published = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    assert published == schema()


class TestDocs:
    EXAMPLE = re.findall(r"```yaml\n(.*?)```", DOCS, re.S)[0]

    def test_its_policy_is_sound(self) -> None:
        assert read(self.EXAMPLE, "docs/policies.md").name == "mine"

    def test_every_reason_stands_there(self) -> None:
        assert all(f"`{reason.value}`" in DOCS for reason in REASONS)

    def test_its_error_is_what_is_said(self) -> None:
        (said,) = re.findall(r"photogate: (mine\.yaml, line .*)\n", DOCS)
        wrong = self.EXAMPLE.replace("reject_below: 8", "reject_below: 40")
        with pytest.raises(ConfigError) as raised:
            read(wrong, "mine.yaml")
        assert str(raised.value) == said

"""Which models judge in an installation, and that it says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.moderate import app as moderate
from local.samples import jpeg, photograph
from local.worker import Worker
from photogate.domain import Role
from photogate.errors import ConfigError
from tests.functions.conftest import Installation, reset_bootstrap


def nsfw_gate() -> str | None:
    reset_bootstrap()
    (gate,) = (gate for gate in moderate.parts().gates if gate.name == "nsfw")
    assert gate.on
    return gate.why


@pytest.mark.parametrize(
    ("second", "look", "words"),
    [
        (
            None,
            "close",
            "mobilenet_v2 and opennsfw look, opennsfw at 3×3 parts of large photos as well",
        ),
        (
            None,
            "fast",
            "in part: nothing measures nsfw.tile; mobilenet_v2 and opennsfw look",
        ),
        (
            "none",
            "normal",
            "in part: nothing measures nsfw.second, nsfw.tile; mobilenet_v2 looks alone",
        ),
    ],
)
def test_who_looks_is_told(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    second: str | None,
    look: str,
    words: str,
) -> None:
    if second is not None:
        monkeypatch.setenv("SECOND_MODEL", second)
    monkeypatch.setenv("LOOK", look)
    assert nsfw_gate() == words


@pytest.mark.parametrize(
    ("says", "setting", "parts"),
    [("close", None, "3×3"), ("close", "", "3×3"), ("close", "normal", "2×2"), (None, None, "2×2")],
)
def test_the_policy_says_how_closely_to_look_unless_the_setting_does(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    says: str | None,
    setting: str | None,
    parts: str,
) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(
        ("" if says is None else f"look: {says}\n")
        + "name: mine\nversion: 1\nrequired: [nsfw.least]\n"
        "rules:\n  - {measure: nsfw.least, reason: nsfw, reject_above: 0.9}\n"
    )
    monkeypatch.setenv("POLICY", str(policy))
    if setting is not None:
        monkeypatch.setenv("LOOK", setting)
    assert f"opennsfw at {parts} parts of large photos" in (nsfw_gate() or "")


def test_a_second_model_that_is_gone_lets_no_worker_start(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECOND_MODEL", str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match=r"gone/manifest.json cannot be read"):
        nsfw_gate()
    monkeypatch.delenv("SECOND_MODEL")
    with pytest.raises(ConfigError, match="SECOND_MODEL: Field required"):
        nsfw_gate()


def test_a_policy_that_asks_for_no_panel_does_not_load_it(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(
        "name: mine\nversion: 1\nrequired: [nsfw.explicit]\n"
        "rules:\n  - {measure: nsfw.explicit, reason: nsfw, review_above: 0.5}\n"
    )
    monkeypatch.setenv("POLICY", str(policy))
    monkeypatch.setenv("SECOND_MODEL", str(tmp_path / "gone"))
    assert nsfw_gate() == "mobilenet_v2 looks alone"
    (signals,) = moderate.parts().analyzer.analyze(_photo())
    # nobody was asked, which is not the same as a panel of one
    assert signals.opinions is None


def test_a_third_model_is_told_and_asked(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, third_bundle: Path
) -> None:
    monkeypatch.setenv("THIRD_MODEL", str(third_bundle))
    assert (nsfw_gate() or "").endswith("swiftformer looks as well, and only ever brings a person")
    installation.hand_in(_photo())
    worker = Worker(moderate.parts())
    while (delivery := worker._queue.receive(wait_s=0)) is not None:
        worker._work(delivery)
    viewer = installation.client("mod", Role.MODERATOR)
    (photo,) = viewer.call("GET", "/admin/moderation/dashboard")["media"]
    assert photo["moderation_status"] == "approved"


def test_a_third_model_that_is_gone_lets_no_worker_start(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THIRD_MODEL", str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match=r"THIRD_MODEL: there is no bundle in .*gone"):
        nsfw_gate()


def test_a_policy_that_does_not_ask_the_third_says_so(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(
        "name: mine\nversion: 1\nrequired: [nsfw.least]\n"
        "rules:\n  - {measure: nsfw.least, reason: nsfw, reject_above: 0.9}\n"
    )
    monkeypatch.setenv("POLICY", str(policy))
    monkeypatch.setenv("THIRD_MODEL", str(tmp_path / "gone"))
    nsfw_gate()
    assert "THIRD_MODEL is not asked: mine@1" in caplog.text


def test_one_model_alone_still_approves(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECOND_MODEL", "none")
    reset_bootstrap()
    installation.hand_in(_photo())
    worker = Worker(moderate.parts())
    while (delivery := worker._queue.receive(wait_s=0)) is not None:
        worker._work(delivery)
    (photo,) = installation.client().call("GET", "/users/media/moderation-status")["photos"]
    assert photo["moderation_status"] == "approved"


def test_moderators_are_told_which_part_decided(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(
        "name: mine\nversion: 1\nrequired: [nsfw.least]\nrules:\n"
        "  - {measure: nsfw.least, reason: nsfw, reject_above: 0.9}\n"
        "  - {measure: nsfw.tile, reason: nsfw, review_above: 0.000001}\n"
    )
    monkeypatch.setenv("POLICY", str(policy))
    reset_bootstrap()
    installation.hand_in(jpeg(photograph("astronaut.png").resize((1024, 1024))))
    worker = Worker(moderate.parts())
    while (delivery := worker._queue.receive(wait_s=0)) is not None:
        worker._work(delivery)
    moderator = installation.client("mod", Role.MODERATOR)
    (photo,) = moderator.call("GET", "/admin/moderation/pending")["photos"]
    assert re.search(r"\((upper|lower) (left|right) part\)$", photo["rule"]["words"])
    scores = photo["moderation_scores"]
    assert scores["rule"]["part"] == scores["tile"]["box"]
    assert len(scores["tile"]["box"]) == 4


def _photo() -> bytes:
    return jpeg(photograph("astronaut.png"))

"""Test photos on their way through the functions: what each answer and each metric says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.samples import jpeg, photograph
from photogate.domain import Role
from tests.functions.conftest import Installation, reset_bootstrap

PHOTO = jpeg(photograph("coffee.png"))
TAB = {"tab": "8c4f8c1e-7a6a-4a58-9d0f-0a2f6f0b8e11"}


def marked(says: str) -> bytes:
    return PHOTO + f"PHOTOGATE-TEST:{says}".encode()


@pytest.fixture
def judged(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Three test photos and a real one: what their user is told, by marker, and all metrics."""
    monkeypatch.setenv("PHOTOGATE_TEST_MODE", "1")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    reset_bootstrap()
    deliver: Callable[[], list[str]] = request.getfixturevalue("deliver")
    says = ["rejected:nsfw", "approved", "review:nsfw"]
    keys = installation.hand_in(*map(marked, says), PHOTO)
    deliver()
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line[:1] == "{"]
    by_key = {photo["file_key"]: photo for photo in installation.client().photos()}
    photos = {name: by_key[key] for name, key in zip([*says, ""], keys, strict=True)}
    return photos, lines


def test_what_a_test_photo_is_in_each_answer(
    installation: Installation, judged: tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]
) -> None:
    photos, _ = judged
    real, rejected, doubt = photos[""], photos["rejected:nsfw"], photos["review:nsfw"]
    assert "test" not in real
    assert (rejected["status"], rejected["reason"], rejected["test"]) == ("rejected", "nsfw", True)
    assert (photos["approved"]["status"], photos["approved"]["test"]) == ("approved", True)
    assert (doubt["status"], doubt["reason"], doubt["test"]) == ("review", None, True)

    admin = installation.client("admin", Role.ADMIN)

    def listed(**wanted: object) -> set[str]:
        answer = admin.call("GET", "/admin/moderation/dashboard", params=wanted)
        assert answer["pagination"]["total"] == len(answer["media"])
        assert all(photo["test"] is bool(wanted) for photo in answer["media"])
        return {photo["id"] for photo in answer["media"]}

    assert listed() == {real["id"]}
    assert listed(test=True) == {photo["id"] for photo in photos.values()} - {real["id"]}
    stats = admin.call("GET", "/admin/queue-stats")["last_24h"]
    assert (stats["total"], stats["rejected"], stats["rejection_reasons"]) == (1, 0, {})

    (pending,) = admin.call("GET", "/admin/moderation/pending")["photos"]
    assert (pending["id"], pending["test"]) == (doubt["id"], True)
    (item,) = admin.call("POST", "/admin/review/take", json=TAB)["items"]
    assert (item["test"], item["title"]) == (True, "A marker asks for a person")
    assert (item["suggested_reason"], item["judged_by"]) == ("nsfw", None)
    of_user = admin.call("GET", "/admin/user", params={"user_id": "u-1"})["photos"]
    assert sum(photo["test"] for photo in of_user) == 3
    wanted = {"photo_id": rejected["id"]}
    (entry,) = admin.call("GET", "/admin/history", params=wanted)["entries"]
    assert (entry["after"], entry["reason"], entry["test"]) == ("rejected", "nsfw", True)


def test_no_metric_has_them(
    judged: tuple[dict[str, dict[str, Any]], list[dict[str, Any]]],
) -> None:
    _, lines = judged
    metrics = [line for line in lines if "_aws" in line]
    assert sum(len(line["Photos"]) for line in metrics if "Photos" in line) == 1
    assert sum(len(line["TimeToVerdict"]) for line in metrics if "TimeToVerdict" in line) == 1


def test_deep_health_says_that_it_is_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOGATE_TEST_MODE", "1")
    reset_bootstrap()
    admin = installation.client("admin", Role.ADMIN)
    answer = admin._session.get(f"{installation.url}/api/v1/admin/health", timeout=10).json()
    assert answer["test_mode"] is True

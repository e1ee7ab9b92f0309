"""Samples at the page, and the accuracy card, over real HTTP and real models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from functions.moderate import app as moderate
from local.cli import app as cli
from local.client import ApiRefused
from local.samples import jpeg, photograph
from photogate.adapters.postgres.pool import Pool
from photogate.domain import Role
from tests.functions.conftest import Installation, make_copies, reset_bootstrap

TAB = {"tab": "tab-00000001"}
#: What of an item would tell how the machine judged.
TELLING = ("rule", "suggested_reason", "judged_by", "note", "raised_by")
PHOTOS = 12


@pytest.fixture(autouse=True)
def nothing_before(pool: Pool) -> None:
    """Figures are of all history, which nobody else may empty."""
    pool.transaction(
        lambda s: s.rows(
            "ALTER TABLE history DISABLE TRIGGER USER; DELETE FROM history;"
            " ALTER TABLE history ENABLE TRIGGER USER"
        )
    )


@pytest.fixture
def all_drawn(monkeypatch: pytest.MonkeyPatch, installation: Installation) -> Installation:
    """An installation in which every approved photo is drawn."""
    monkeypatch.setenv("SAMPLE_APPROVED", "1")
    reset_bootstrap()
    moderate.parts()
    return installation


def _good(number: int) -> bytes:
    return jpeg(photograph("astronaut.png")) + str(number).encode()


def _moderated(installation: Installation, photos: list[bytes]) -> None:
    from local.worker import Worker

    installation.hand_in(*photos)
    worker = Worker(moderate.parts())
    while (delivery := worker._queue.receive(wait_s=0)) is not None:
        worker._work(delivery)
    make_copies()


def _take(installation: Installation, **wanted: Any) -> list[dict[str, Any]]:
    moderator = installation.client("mod", Role.MODERATOR)
    body = TAB | {"count": 60} | wanted
    items: list[dict[str, Any]] = moderator.call("POST", "/admin/review/take", json=body)["items"]
    return items


def test_a_sample_looks_like_any_other_photo(all_drawn: Installation) -> None:
    # given one approved photo that was drawn, of a user who has no other
    _moderated(all_drawn, [_good(0)])
    (photo,) = all_drawn.client().photos()
    assert photo["moderation_status"] == "approved"
    # when a moderator gets it
    (item,) = _take(all_drawn)
    # then nothing tells that the machine approved it
    assert (item["kind"], item["status"], item["folded"]) == ("doubt", "review", True)
    assert [item[name] for name in TELLING] == [None] * len(TELLING)
    assert (item["bars"], item["models"], item["boxes"]) == ([], [], [])
    assert "approved" not in json.dumps(item)
    moderator = all_drawn.client("mod", Role.MODERATOR)
    owner = moderator.call("GET", f"/admin/review/{item['photo_id']}/owner")
    assert (owner["photos"], owner["approved"], owner["others"]) == (0, 0, [])
    # and a second moderator, who asks for it, is not told either
    other = all_drawn.client("other", Role.MODERATOR)
    body = {"tab": "tab-00000002", "reason": "nsfw"}
    with pytest.raises(ApiRefused, match="somebody else looks at it now") as refused:
        other.call("POST", f"/admin/review/{item['photo_id']}/reject", json=body)
    assert "approved" not in str(refused.value)


def test_the_grid_does_not_tell_samples_either(all_drawn: Installation, pool: Pool) -> None:
    # given a sample and a doubt whose evidence is folded as well
    _moderated(all_drawn, [_good(0), _good(1)])
    doubt = all_drawn.client().photos()[0]["id"]
    pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET moderation_status = 'review' WHERE CAST(id AS text) = :i", i=doubt
        )
    )
    pool.transaction(
        lambda s: s.rows("UPDATE review_items SET folded = true WHERE photo_id = :i", i=doubt)
    )
    items = {item["photo_id"]: item for item in _take(all_drawn)}
    assert len(items) == 2
    assert len({json.dumps([i["status"], i["kind"], i["folded"]]) for i in items.values()}) == 1
    moderator = all_drawn.client("mod", Role.MODERATOR)

    def bulk(action: str, **more: Any) -> list[tuple[bool, str | None, str | None]]:
        seen = "review" if action in ("approve", "reject") else None
        photos = [{"photo_id": photo_id, "seen": seen} for photo_id in items]
        body = TAB | {"action": action, "photos": photos} | more
        answer = moderator.call("POST", "/admin/bulk", json=body)
        return [(r["done"], r["problem"], r["status"]) for r in answer["results"]]

    # when both are revealed, rejected, taken back and looked at again
    # then nothing tells them apart, and what was folded is folded again
    assert bulk("reveal") == [(True, None, "review")] * 2
    assert bulk("reject", reason="blurry") == [(True, None, "rejected")] * 2
    assert bulk("undo") == [(True, None, "review")] * 2
    again = {item["photo_id"]: item for item in _take(all_drawn)}
    assert again.keys() == items.keys()
    assert all(item["folded"] and item["rule"] is None for item in again.values())
    # and one by one
    for photo_id in items:
        moderator.call("POST", f"/admin/review/{photo_id}/reject", json=TAB | {"reason": "blurry"})
    undone = [
        moderator.call("POST", f"/admin/review/{photo_id}/undo", json=TAB)["status"]
        for photo_id in items
    ]
    assert undone == ["review", "review"]
    # and what somebody else holds is refused in the same words
    other = all_drawn.client("other", Role.MODERATOR)
    body: dict[str, Any] = {"tab": "tab-00000002", "action": "reject", "reason": "blurry"}
    body["photos"] = [{"photo_id": photo_id, "seen": "review"} for photo_id in items]
    told = other.call("POST", "/admin/bulk", json=body)["results"]
    assert {(r["done"], r["problem"], r["status"]) for r in told} == {
        (
            False,
            "somebody else looks at it now, or the admins do, or nobody waits for a decision on it",
            "review",
        )
    }


def test_a_filter_of_samples_is_not_known(all_drawn: Installation) -> None:
    moderator = all_drawn.client("mod", Role.MODERATOR)
    with pytest.raises(ApiRefused, match="422"):
        moderator.call("POST", "/admin/review/take", json=TAB | {"kind": "sample"})


def test_what_people_say_of_samples_is_on_the_card(
    all_drawn: Installation, pool: Pool, tmp_path: Path
) -> None:
    # given twelve samples, and a photo that the machine rejects
    _moderated(all_drawn, [_good(number) for number in range(9)])
    _moderated(all_drawn, [_good(number) for number in range(9, PHOTOS)])
    _moderated(all_drawn, [jpeg(photograph("astronaut.png").resize((100, 100)))])
    moderator = all_drawn.client("mod", Role.MODERATOR)
    items = _take(all_drawn)
    assert len(items) == PHOTOS
    # when people agree with ten, reject one, delete none, and change the rejection
    for item in items[:10]:
        moderator.call("POST", f"/admin/review/{item['photo_id']}/reveal")
        moderator.call("POST", f"/admin/review/{item['photo_id']}/approve", json=TAB)
    missed, waiting = items[10:]
    rejection = TAB | {"reason": "nsfw"}
    moderator.call("POST", f"/admin/review/{missed['photo_id']}/reject", json=rejection)
    (rejected,) = [p for p in all_drawn.client().photos() if p["moderation_reason"] == "too_small"]
    moderator.call("PUT", f"/admin/moderation/{rejected['id']}/approve")
    # then the card says so
    card = all_drawn.client("v", Role.VIEWER).call("GET", "/admin/accuracy")
    samples = {"drawn": 12, "decided": 11, "missed": {"nsfw": 1}, "waiting": 1, "withdrawn": 0}
    assert card["samples"] == samples
    approvals = card["error_rate"]["approvals"]
    assert (approvals["hits"], approvals["of"]) == (1, 11)
    assert approvals["at_most"] == pytest.approx(0.364, abs=0.001)  # R: binom.test(1, 11, alt="l")
    assert card["statement"] == (
        "As far as moderators see it, at most 36 % of approvals by community@4 are wrong,"
        " at 95 %: 1 of 11 drawn at random were; 1 more were drawn and not decided"
    )
    (machine,) = card["by_machine"]
    assert machine["policy"] == "community@4"
    assert len(machine["models"]) == 2
    assert (machine["judged"], machine["approved"]) == (13, 12)
    assert (machine["rejected"], machine["to_people"]) == ({"too_small": 1}, 0)
    assert machine["rejections_by_reason"]["too_small"]["hits"] == 1
    assert machine["approvals_rejected"] == 1
    assert card["share_automated"]["share"] == 1.0
    # and the owner heard of the miss, and of no other decision
    told = pool.transaction(
        lambda s: s.rows("SELECT before, status FROM notices WHERE by_person ORDER BY 1, 2")
    )
    assert [(row["before"], row["status"]) for row in told] == [
        ("approved", "rejected"),
        ("rejected", "approved"),
    ]
    # and the command says the same, for people, programs and auditors
    runner = CliRunner()
    page = tmp_path / "card.html"
    done = runner.invoke(cli, ["accuracy", "--html", str(page)])
    assert done.exit_code == 0, done.output
    written = page.read_text(encoding="utf-8")
    assert card["statement"] in written
    assert '<td>too_small</td><td class="number">1</td>' in written
    assert json.loads(runner.invoke(cli, ["accuracy", "--json"]).stdout)["samples"] == samples
    # and a decision that is undone does not count
    moderator.call("POST", f"/admin/review/{missed['photo_id']}/undo", json=TAB)
    card = all_drawn.client("v", Role.VIEWER).call("GET", "/admin/accuracy")
    assert card["samples"] == samples | {"decided": 10, "missed": {}, "waiting": 2}
    assert waiting["photo_id"] in {item["photo_id"] for item in _take(all_drawn)}
    # and what was drawn at another rate is weighed by it: one agreed of 12 stands for 99 more
    rates = pool.transaction(lambda s: s.rows("SELECT DISTINCT rate FROM samples"))
    assert [row["rate"] for row in rates] == [1.0]
    moderator.call("POST", f"/admin/review/{missed['photo_id']}/reject", json=rejection)
    pool.transaction(
        lambda s: s.rows(
            "UPDATE samples SET rate = 0.01 WHERE photo_id = :id", id=items[0]["photo_id"]
        )
    )
    card = all_drawn.client("v", Role.VIEWER).call("GET", "/admin/accuracy")
    approvals = card["error_rate"]["approvals"]
    assert (approvals["hits"], approvals["of"]) == (1, 11)
    assert approvals["share"] == pytest.approx(11 / 111 / 10)
    assert "were, weighed by the rate of their time" in card["statement"]


def test_without_samples_the_card_says_what_to_do(
    installation: Installation, deliver: Callable[..., list[str]]
) -> None:
    installation.hand_in(_good(0))
    deliver()
    card = installation.client("v", Role.VIEWER).call("GET", "/admin/accuracy")
    assert card["statement"].endswith("set SAMPLE_APPROVED")
    assert card["samples"]["drawn"] == 0
    assert card["error_rate"]["approvals"] == {
        "hits": 0,
        "of": 0,
        "share": None,
        "low": 0.0,
        "high": 1.0,
        "at_most": 1.0,
    }
    with pytest.raises(ApiRefused, match="403"):
        installation.client("u-1").call("GET", "/admin/accuracy")

"""Acts on several photos over HTTP, and the lists that they are selected from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from photogate.adapters.postgres.pool import Pool
from tests.functions.conftest import Installation, make_copies, reset_bootstrap
from tests.functions.test_routes import headers

TAB = "tab-00000001"


class Team:
    """Photos of an installation, and people who act on them."""

    def __init__(self, installation: Installation, pool: Pool) -> None:
        self.base = f"{installation.url}/api/v1/admin"
        self.pool = pool
        #: Earlier tests stay in the history.
        self.since = datetime.now(UTC).isoformat()

    def history(self, who: str, path: str = "/history", **query: Any) -> requests.Response:
        return self.get(path, who, **{"since": self.since} | query)

    def get(self, path: str, who: str = "moderator", **query: Any) -> requests.Response:
        return requests.get(self.base + path, headers=headers(who), params=query, timeout=10)

    def act(
        self, action: str, ids: list[str], who: str = "moderator", **more: Any
    ) -> dict[str, Any]:
        """Act, and give each photo's problem, or None, by its id."""
        seen = more.pop("seen", None)
        body = {
            "action": action,
            "photos": [{"photo_id": id_, "seen": seen} for id_ in ids],
            "tab": more.pop("tab", TAB),
        }
        answer = requests.post(
            f"{self.base}/bulk", headers=headers(who), json=body | more, timeout=10
        )
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert answer.json()["done"] == sum(r["done"] for r in results)
        assert all(r["done"] == (r["problem"] is None) for r in results)
        return {r["photo_id"]: r["problem"] for r in results}

    def statuses(self, ids: list[str]) -> list[str]:
        rows = self.pool.transaction(
            lambda s: s.rows("SELECT CAST(id AS text) AS id, moderation_status AS is_ FROM media")
        )
        by_id = {row["id"]: row["is_"] for row in rows}
        return [by_id.get(id_, "gone") for id_ in ids]


@pytest.fixture
def team(installation: Installation, pool: Pool) -> Team:
    return Team(installation, pool)


@pytest.fixture
def waiting(
    installation: Installation, deliver: Callable[..., list[str]], portrait: bytes, pool: Pool
) -> list[str]:
    """Four photos that were judged, have copies, and wait for a person."""
    installation.hand_in(*[portrait + b"x" * (n + 1) for n in range(4)])
    deliver()
    make_copies()
    rows = pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET moderation_status = 'review' RETURNING CAST(id AS text) AS id"
        )
    )
    return [row["id"] for row in rows]


def test_each_photo_has_its_own_result(team: Team, waiting: list[str]) -> None:
    seen, unseen, held, decided = waiting
    assert team.act("reject", [decided], "admin", reason="blurry") == {decided: None}
    # Somebody else looks at one of them.
    team.pool.transaction(
        lambda s: s.rows(
            "UPDATE review_items SET lease_by = 'tab-00000002/admin',"
            " lease_until = now() + interval '1 minute' WHERE photo_id = :id",
            id=held,
        )
    )
    assert team.act("reveal", [seen, held, decided]) == dict.fromkeys((seen, held, decided))
    nothing = "00000000-0000-4000-8000-000000000000"
    got = team.act("approve", [*waiting, nothing], seen="review")
    assert got == {
        seen: None,
        unseen: "look at the photo before you approve it: reveal it first",
        held: "somebody else looks at it now, or the admins do, or nobody waits for a decision on"
        " it",
        decided: "admin has decided meanwhile: it is rejected",
        nothing: f"there is no photo {nothing}",
    }
    assert team.statuses(waiting) == ["approved", "review", "review", "rejected"]
    # Sent again, as after a broken connection.
    assert team.act("approve", [seen], seen="review") == {seen: None}


def test_a_selection_is_rejected_and_taken_back(team: Team, waiting: list[str]) -> None:
    assert set(team.act("reject", waiting, reason="  Show yourself. ").values()) == {None}
    assert team.statuses(waiting) == ["rejected"] * 4
    listed = team.get("/rejected", reason="other").json()["photos"]
    assert {p["photo_id"] for p in listed} == set(waiting)
    assert {(p["reason"], p["decided_by"], p["has_picture"]) for p in listed} == {
        ("Show yourself.", "moderator", True)
    }
    stranger = team.act("undo", waiting[:1], "admin")
    assert "only who decided can take it back" in str(stranger[waiting[0]])
    assert set(team.act("undo", waiting).values()) == {None}
    assert team.statuses(waiting) == ["review"] * 4
    # The tab holds them again.
    tab = {"tab": TAB, "count": 10}
    mine = requests.post(
        f"{team.base}/review/take", headers=headers("moderator"), json=tab, timeout=10
    )
    assert {item["photo_id"] for item in mine.json()["items"]} == set(waiting)


def test_rejected_photos_are_verified_restored_and_deleted(team: Team, waiting: list[str]) -> None:
    kept, wrong, bad, open_ = waiting
    team.act("reject", [kept, wrong, bad], reason="nsfw")
    assert team.act("verify", [kept, open_]) == {
        kept: None,
        open_: f"photo {open_} is not rejected",
    }
    assert "reveal it first" in str(team.act("approve", [wrong])[wrong])
    team.act("reveal", [wrong])
    assert team.act("approve", [wrong], seen="rejected") == {wrong: None}
    assert team.act("delete", [bad, open_, bad]) == {
        bad: None,
        open_: f"photo {open_} is not rejected",
    }
    assert team.statuses(waiting) == ["rejected", "approved", "gone", "review"]
    for verified, expected in ((True, [kept]), (False, [])):
        found = team.get("/rejected", verified=verified).json()["photos"]
        assert [p["photo_id"] for p in found] == expected


def test_a_users_photos_come_in_pages(team: Team, waiting: list[str]) -> None:
    team.act("reject", waiting[:1], reason="nsfw")
    first = team.get("/user", user_id="u-1", limit=3).json()
    assert {k: first[k] for k in ("total", "approved", "rejected", "waiting")} == {
        "total": 4,
        "approved": 0,
        "rejected": 1,
        "waiting": 3,
    }
    rest = team.get("/user", user_id="u-1", limit=3, cursor=first["next_cursor"]).json()
    shown = [p["photo_id"] for p in first["photos"] + rest["photos"]]
    assert (sorted(shown), rest["next_cursor"]) == (sorted(waiting), None)
    nobody = team.get("/user", user_id="../admin?x=é").json()
    assert (nobody["total"], nobody["photos"]) == (0, [])


def test_a_picture_that_is_not_there_cannot_be_revealed(team: Team, waiting: list[str]) -> None:
    (photo, *_) = waiting
    team.pool.transaction(lambda s: s.rows("UPDATE media SET display_key = NULL"))
    assert team.act("reveal", [photo]) == {photo: f"there is no picture of photo {photo}"}
    assert "reveal it first" in str(team.act("approve", [photo])[photo])


def test_what_is_withheld_is_left_alone(team: Team, waiting: list[str]) -> None:
    (photo, *_) = waiting
    path = f"{team.base}/review/{photo}/hold"
    assert requests.post(path, headers=headers("moderator"), timeout=10).status_code == 204
    assert team.act("reveal", [photo]) == {photo: f"there is no picture of photo {photo}"}
    for action, more in (("reject", {"reason": "nsfw"}), ("verify", {}), ("delete", {})):
        assert set(team.act(action, [photo], **more).values()) != {None}
    assert team.statuses([photo]) == ["rejected"]
    assert photo not in team.get("/rejected").text + team.get("/user", user_id="u-1").text


def test_nobody_looks_at_more_than_the_limit(
    team: Team, waiting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVEALS_PER_DAY", "3")
    reset_bootstrap()
    got = team.act("reveal", waiting)
    assert [got[id_] for id_ in waiting[:3]] == [None] * 3
    assert "you have looked at 3 photos today" in str(got[waiting[3]])


def test_at_most_sixty_at_once(team: Team) -> None:
    photos = [{"photo_id": str(n)} for n in range(61)]
    body = {"action": "verify", "photos": photos, "tab": TAB}
    answer = requests.post(f"{team.base}/bulk", headers=headers("moderator"), json=body, timeout=10)
    assert answer.status_code == 422


def test_the_history_tells_who_did_what(team: Team, waiting: list[str]) -> None:
    team.act("reject", waiting[:2], reason="nsfw")
    team.act("verify", waiting[:1], "admin")
    page = team.history("viewer", by="person", limit=2).json()
    assert [(e["action"], e["person"], e["user_id"]) for e in page["entries"]] == [
        ("verify", "admin", "u-1"),
        ("decide", "moderator", "u-1"),
    ]
    query = {"by": "person", "limit": 2, "cursor": page["next_cursor"]}
    rest = team.history("viewer", **query).json()
    assert ([e["action"] for e in rest["entries"]], rest["next_cursor"]) == (["decide"], None)
    judged = team.history("viewer", by="machine", action="judge").json()["entries"]
    assert {(e["person"], e["policy"].partition("@")[0]) for e in judged} == {(None, "community")}
    for query in (
        {"cursor": "abc"},
        {"since": "2026-01-01T00:00:00"},
        {"until": "1700000000"},
        {"action": "'; DROP"},
    ):
        assert team.history("viewer", **query).status_code == 422


def test_the_export_is_joined_from_parts(team: Team, waiting: list[str]) -> None:
    words = (
        "=1+1",
        "  @SUM(A1)",
        'a "quoted", word\nand a line',
        "-2",
        "\N{RIGHT-TO-LEFT OVERRIDE}x",
    )
    for photo, reason in zip(waiting, words, strict=False):
        team.act("reject", [photo], reason=reason)
    text, query = "", {"by": "person", "limit": 3}
    while True:
        part = team.history("admin", "/history.csv", **query)
        assert part.headers["Content-Type"] == "text/csv; charset=utf-8"
        text += part.text
        if "X-Next-Cursor" not in part.headers:
            break
        query["cursor"] = part.headers["X-Next-Cursor"]
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    # Blanks at both ends are taken off when a reason is given.
    assert [row["reason"] for row in reversed(rows)] == ["'=1+1", "'@SUM(A1)", words[2], "'-2"]
    assert {(row["by"], row["role"], row["failed"]) for row in rows} == {
        ("person", "moderator", "false")
    }


def test_an_export_ends_before_it_is_too_large(
    team: Team, waiting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.admin.history.MAX_BYTES", 200)
    rows = 0
    query: dict[str, str] = {}
    for _ in range(20):
        part = team.history("admin", "/history.csv", **query)
        rows += len(part.text.splitlines())
        if (place := part.headers.get("X-Next-Cursor")) is None:
            break
        query = {"cursor": place}
    entries = team.history("viewer").json()["entries"]
    assert rows == len(entries) + 1

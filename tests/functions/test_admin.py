"""The admin function over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from functions.moderate import app as moderate
from local.client import ApiRefused
from local.samples import jpeg
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.domain import Role
from photogate.policies import preset
from tests.functions.conftest import Installation, make_copies

COMMUNITY_BLANK = next(
    t.reject for t in preset("community").thresholds if t.measure == "rms_contrast"
)


def ids(installation: Installation, user: str = "u-1") -> dict[str, str]:
    return {p["file_key"]: p["id"] for p in installation.client(user).photos()}


def to_review(pool: Pool) -> None:
    pool.transaction(lambda s: s.rows("UPDATE media SET moderation_status = 'review'"))


def test_what_waits_for_a_person_is_decided_by_one(
    installation: Installation, pool: Pool, portrait: bytes
) -> None:
    good, bad = installation.hand_in(portrait, portrait + b"x")
    to_review(pool)
    moderator = installation.client("mod", Role.MODERATOR)
    waiting = moderator.call("GET", "/admin/moderation/pending")["photos"]
    assert [photo["user_name"] for photo in waiting] == ["Ada", "Ada"]
    known = ids(installation)
    assert waiting[0]["url"] == f"/api/v1/admin/moderation/{waiting[0]['id']}/photo"

    approved = moderator.call("PUT", f"/admin/moderation/{known[good]}/approve")
    assert (approved["is_approved"], approved["decided_by"]) == (True, "mod")
    moderator.call(
        "PUT", f"/admin/moderation/{known[bad]}/reject", json={"reason": " Show your face. "}
    )
    assert moderator.call("GET", "/admin/moderation/pending")["photos"] == []
    make_copies()
    by_key = {p["file_key"]: p for p in installation.client().photos()}
    assert by_key[good]["moderation_status"] == "approved"
    assert (by_key[bad]["moderation_reason"], by_key[bad]["message"]) == (
        "Show your face.",
        "Show your face.",
    )

    verified = moderator.call("PUT", f"/admin/moderation/rejected/{known[bad]}/verify")
    assert verified["verified_by"] == "mod"
    moderator.call("DELETE", f"/admin/moderation/rejected/{known[bad]}")
    assert bad not in ids(installation)
    moderator.call("DELETE", f"/admin/moderation/rejected/{known[bad]}")  # a client's retry
    with pytest.raises(ApiRefused, match="404"):
        moderator.call("PUT", f"/admin/moderation/{known[bad]}/approve")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 501}])
def test_a_rejection_needs_words(
    installation: Installation, portrait: bytes, body: dict[str, Any]
) -> None:
    (key,) = installation.hand_in(portrait)
    moderator = installation.client("mod", Role.MODERATOR)
    with pytest.raises(ApiRefused, match="422: reason"):
        moderator.call("PUT", f"/admin/moderation/{ids(installation)[key]}/reject", json=body)


def test_text_that_cannot_be_stored_is_refused(installation: Installation, portrait: bytes) -> None:
    (key,) = installation.hand_in(portrait)
    moderator = installation.client("mod", Role.MODERATOR)
    path = f"/admin/moderation/{ids(installation)[key]}/reject"
    with pytest.raises(ApiRefused, match="422: text must not hold NUL"):
        moderator.call("PUT", path, json={"reason": "a\0b"})
    with pytest.raises(ApiRefused, match="422: text must not hold NUL"):
        moderator.call("PUT", "/admin/moderation/a%00b/approve")


def test_the_dashboard_pages_and_filters(
    installation: Installation, deliver: Callable[[], list[str]], portrait: bytes
) -> None:
    installation.hand_in(portrait, b"broken")
    installation.hand_in(portrait, user="u-2")
    deliver()
    viewer = installation.client("v", Role.VIEWER)

    def page(**params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = viewer.call("GET", "/admin/moderation/dashboard", params=params)
        return answer

    whole = page()
    assert whole["pagination"] == {
        "page": 1,
        "limit": 20,
        "total": 3,
        "total_is": "exact",
        "total_pages": 1,
        "next_cursor": None,
    }
    rejected = page(status="rejected")
    assert rejected["filters"] == {"status": "rejected"}
    assert [m["moderation_reason"] for m in rejected["media"]] == ["unreadable"]
    first, second = page(limit=2), page(limit=2, page=2)
    assert first["pagination"]["total_pages"] == 2
    newest_first = [m["id"] for m in whole["media"]]
    assert [m["id"] for m in first["media"] + second["media"]] == newest_first
    by_cursor = page(limit=2, cursor=first["pagination"]["next_cursor"])
    assert by_cursor["media"][0]["id"] == newest_first[2]
    assert (by_cursor["pagination"]["page"], by_cursor["pagination"]["next_cursor"]) == (None, None)
    explained = page(status="approved")["media"][0]["moderation_scores"]
    assert explained["policy"] == "community@4"
    assert set(explained["nsfw_scores"]) == {"porn", "sexy", "hentai", "neutral", "drawing"}
    for wrong in ({"status": "nice"}, {"page": 0}, {"limit": 101}, {"cursor": "MQ"}):
        with pytest.raises(ApiRefused, match="422"):
            page(**wrong)
    assert page(page=100)["media"] == []
    with pytest.raises(ApiRefused, match=r"422: page must be at most 100; .*next_cursor"):
        page(page=101)


def test_the_rule_that_decided_is_told_with_its_value_and_bound(
    installation: Installation, deliver: Callable[[], list[str]], portrait: bytes
) -> None:
    installation.hand_in(jpeg(Image.new("RGB", (400, 300), "teal")), portrait)
    deliver()
    dashboard = installation.client("v", Role.VIEWER).call("GET", "/admin/moderation/dashboard")
    by_reason = {m["moderation_reason"]: m["rule"] for m in dashboard["media"]}
    assert by_reason == {
        "blank": {
            "name": "rms_contrast",
            "value": 0.0,
            "bound": COMMUNITY_BLANK,
            "words": f"contrast is 0, below {COMMUNITY_BLANK:g}",
        },
        None: None,
    }


def test_the_dashboard_tells_which_checks_are_on(
    installation: Installation, deliver: Callable[[], list[str]], pool: Pool
) -> None:
    viewer = installation.client("v", Role.VIEWER)
    assert viewer.call("GET", "/admin/moderation/dashboard")["in_force"] is None
    PostgresWorkers(pool).announce(moderate.parts().introduce())
    in_force = viewer.call("GET", "/admin/moderation/dashboard")["in_force"]
    assert in_force["policy"] == "community@4"
    gates = {gate["name"]: (gate["on"], gate["why"]) for gate in in_force["gates"]}
    assert gates["blurry"] == (True, None)
    panel = "mobilenet_v2 and opennsfw look, opennsfw at 2×2 parts of large photos as well"
    assert gates["nsfw"] == (True, panel)
    assert gates["no_face"] == (False, "community@4 does not ask for it")


def test_queue_stats_count_jobs_photos_and_verdicts(
    installation: Installation, deliver: Callable[..., list[str]], portrait: bytes
) -> None:
    admin = installation.client("a", Role.ADMIN)
    installation.hand_in(portrait, b"broken")
    before = admin.call("GET", "/admin/queue-stats")
    assert before["queue"]["length"] == 1
    assert before["queue"]["pending_media"] == 2
    assert before["queue"]["oldest_age_s"] >= 0
    deliver(1)
    assert admin.call("GET", "/admin/queue-stats")["copies"] == {"waiting": 1, "earlier": 0}
    deliver()
    after = admin.call("GET", "/admin/queue-stats")
    assert after["queue"] == {
        "length": 0,
        "in_flight": 0,
        "delayed": 0,
        "dead": 0,
        "oldest_age_s": None,
        "pending_media": 0,
        "pending_media_is": "exact",
    }
    since = datetime.fromisoformat(after["last_24h"].pop("since"))
    assert timedelta(hours=24) <= datetime.now(UTC) - since < timedelta(hours=25, minutes=1)
    assert after["last_24h"] == {
        "total": 2,
        "approved": 1,
        "rejected": 1,
        "failed": 0,
        "rejection_reasons": {"unreadable": 1},
    }
    assert after["copies"] == {"waiting": 0, "earlier": 0}
    assert after["workers"] == []

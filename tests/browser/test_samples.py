"""A sample in a real browser: nothing tells it from a doubt, and both decisions count."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from functions.moderate import app as moderate
from local.worker import Worker
from tests.browser.conftest import Desk
from tests.browser.test_review_page import next_one, reveal, shown
from tests.functions.conftest import make_copies, reset_bootstrap
from tests.servers import eventually


def outcomes(desk: Desk) -> list[str | None]:
    rows = desk.pool.transaction(
        lambda s: s.rows("SELECT outcome FROM samples ORDER BY outcome NULLS LAST")
    )
    return [row["outcome"] for row in rows]


def test_a_sample_is_looked_at_without_a_hint(
    desk: Desk, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given two approved photos that were drawn
    monkeypatch.setenv("SAMPLE_APPROVED", "1")
    reset_bootstrap()
    desk.installation.hand_in(portrait)
    desk.installation.hand_in(portrait + b"x", user="u-2")
    worker = Worker(moderate.parts())
    while (delivery := worker._queue.receive(wait_s=0)) is not None:
        worker._work(delivery)
    make_copies()
    assert outcomes(desk) == [None, None]
    # when a moderator looks at them
    watched = desk.signed_in()
    page = watched.page
    first = shown(page)
    evidence = page.locator("#evidence")
    expect(evidence).to_contain_text("Judge for yourself")
    expect(evidence).to_contain_text("nobody is shown what the machine says before the decision")
    expect(evidence).to_contain_text("0 other photos: 0 approved, 0 rejected")
    expect(evidence.locator("svg")).to_have_count(0)
    # then both decisions count, and one that is undone does not
    reveal(page)
    page.keyboard.press("a")
    next_one(page, first)
    eventually(lambda: outcomes(desk) == ["agreed", None])
    second = shown(page)
    page.keyboard.press("r")
    page.keyboard.press("1")
    next_one(page, second)
    eventually(lambda: outcomes(desk) == ["agreed", "missed"])
    page.keyboard.press("z")
    assert shown(page) == second
    eventually(lambda: outcomes(desk) == ["agreed", None])
    assert desk.status(second)[0] == "approved"
    watched.assert_calm()

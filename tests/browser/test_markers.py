"""Test photos at the moderators' pages: nobody takes one for a user's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import expect

from photogate.adapters.postgres.pool import Pool
from photogate.domain import Role
from tests.browser.conftest import Desk
from tests.functions.conftest import Installation, make_copies, reset_bootstrap

MARK = "Test photo: a marker in it named its verdict"


@pytest.fixture
def desk(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    portrait: bytes,
    pool: Pool,
) -> Iterator[Desk]:
    """One test photo waits for a person, one is rejected, and so is a real one."""
    monkeypatch.setenv("PHOTOGATE_TEST_MODE", "1")
    reset_bootstrap()
    deliver = request.getfixturevalue("deliver")
    markers = (b"PHOTOGATE-TEST:review:group_photo", b"PHOTOGATE-TEST:rejected:nsfw")
    installation.hand_in(*(portrait + marker for marker in markers), portrait[:200])
    deliver()
    make_copies()
    with closing(Desk(request.getfixturevalue("browser"), installation, pool)) as desk:
        yield desk


@pytest.mark.parametrize("width", [360, 1440])
def test_they_are_marked_on_every_page(desk: Desk, width: int) -> None:
    watched = desk.signed_in("ada", Role.ADMIN, viewport={"width": width, "height": 800})
    page = watched.page
    expect(page.locator("#evidence .test")).to_have_text(MARK)
    expect(page.locator("#evidence")).not_to_contain_text("no policy")
    expect(page.locator("#evidence h2").first).to_have_text("A marker asks for a person")

    page.goto(f"{desk.installation.url}/admin/grid")
    expect(page.locator("#tiles .words .test")).to_have_text("test photo")
    page.goto(f"{desk.installation.url}/admin/rejected")
    expect(page.locator("#tiles [role=option]")).to_have_count(2)
    expect(page.locator("#tiles .words .test")).to_have_count(1)
    page.goto(f"{desk.installation.url}/admin/history")
    # The newest; nobody can empty the history of what other tests did.
    expect(page.locator("#entries tr:nth-child(-n+3) .test")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.assert_calm()

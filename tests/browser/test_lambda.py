"""The page behind an HTTP API, from functions under the real runtime interface client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from photogate.auth import sign_in_link
from photogate.domain import Role
from tests.browser.conftest import Desk, Watched
from tests.browser.test_review_page import Add, next_one, reveal, shown
from tests.conftest import SECRET
from tests.gateway import Gateway, on_lambda
from tests.oidc_provider import CLIENT, CLIENT_SECRET, running
from tests.servers import eventually

pytestmark = pytest.mark.slow

pytest.importorskip("awslambdaric", reason="the runtime interface client has wheels for Linux only")

HANDLER = "functions.admin.app.handler"


@pytest.fixture
def gateway(desk: Desk, tmp_path: Path) -> Iterator[tuple[str, Gateway]]:
    """The admin function in two sandboxes that take turns."""
    with on_lambda(HANDLER, tmp_path) as found:
        yield found


def rejects_one(page: Page) -> str:
    photo = shown(page)
    page.keyboard.press("r")
    page.keyboard.press("5")
    next_one(page, photo)
    return photo


def test_signing_in_and_a_review(desk: Desk, waiting: Add, gateway: tuple[str, Gateway]) -> None:
    waiting(3)
    url, sandboxes = gateway
    watched = Watched(desk.browser().new_page(), url)
    page = watched.page
    page.goto(sign_in_link(url, "ada", secret=SECRET, role=Role.MODERATOR, name="Ada"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin")
    rejected = rejects_one(page)
    eventually(lambda: desk.status(rejected) == ("rejected", "blurry"))
    page.keyboard.press("u")
    expect(page.locator("#strip")).to_contain_text("Undone")
    assert shown(page) == rejected
    reveal(page)
    page.keyboard.press("a")
    next_one(page, rejected)
    eventually(lambda: desk.status(rejected)[0] == "approved")
    page.locator("#sign-out").click()
    page.wait_for_url("**/admin/sign-in")
    watched.assert_calm()
    answers = sandboxes.answers
    pictures = [a for a in answers if a["path"].endswith("/photo") and a["statusCode"] == 200]
    assert pictures
    assert all(a["isBase64Encoded"] for a in pictures)
    # Lambda's answers may have 6 MB.
    assert max(len(a.get("body") or "") for a in answers) < 2_000_000
    set_cookies = [cookie for a in answers for cookie in a.get("cookies", [])]
    assert [cookie.partition("=")[0] for cookie in set_cookies] == ["photogate_session"] * 2
    assert [a["statusCode"] for a in answers if a["statusCode"] >= 500] == []


def test_signing_in_with_a_provider_ends_in_another_sandbox(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("localhost") as provider:
        for name, value in {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_MODERATORS": "moderators",
        }.items():
            monkeypatch.setenv(name, value)
        with on_lambda(HANDLER, tmp_path) as (url, sandboxes):
            provider.redirects.add(f"{url}/admin/sign-in/oidc")
            page = desk.browser().new_page()
            page.goto(f"{url}/admin/sign-in")
            page.locator("#provider").click()
            expect(page.locator("#go")).to_be_visible()
            # The one in which it began is gone by now.
            (began,) = [a for a in sandboxes.answers if "photogate_oidc" in str(a.get("cookies"))]
            del sandboxes.sandboxes[began["sandbox"]]
            page.locator("#go").click()
            page.wait_for_url("**/admin")
            expect(page.locator("#who")).to_have_text("Ada")
            finished = [a for a in sandboxes.answers if a["path"].endswith("/oidc/finish")]
    assert [a["statusCode"] for a in finished] == [200]
    # Two cookies in one answer: the session, and the end of what had begun.
    assert sorted(c.partition("=")[0] for c in finished[0]["cookies"]) == [
        "photogate_oidc",
        "photogate_session",
    ]

"""Signing in with an OpenID provider of another site, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from starlette.responses import Response

from tests.browser.conftest import Desk, Watched
from tests.browser.test_review_page import serious
from tests.functions.conftest import reset_bootstrap
from tests.oidc_provider import CLIENT, CLIENT_SECRET, Provider, running


@pytest.fixture
def provider(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that is another site for the browser, as a real one is."""
    with running("localhost") as provider:
        provider.redirects.add(f"{desk.installation.url}/admin/sign-in/oidc")
        for name, value in {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_MODERATORS": "moderators",
        }.items():
            monkeypatch.setenv(name, value)
        reset_bootstrap()
        # The browser's own way there has the name that the tests call the server by.
        provider.said = {"authorization_endpoint": f"{provider.issuer}/authorize"}
        yield provider


def sign_in(page: Page, desk: Desk) -> None:
    """Go to the provider and agree there."""
    page.goto(f"{desk.installation.url}/admin/sign-in")
    page.locator("#provider").click()
    page.locator("#go").click()


def test_signing_in_and_out(desk: Desk, provider: Provider) -> None:
    context = desk.browser()
    watched = Watched(context.new_page(), desk.installation.url)
    page = watched.page
    page.goto(f"{desk.installation.url}/admin/sign-in")
    expect(page.locator("#provider")).to_have_text(
        f"Sign in with {provider.issuer.removeprefix('http://')}"
    )
    expect(page.locator("#provider")).to_be_focused()
    assert serious(page) == []
    page.keyboard.press("Enter")
    page.locator("#go").click()
    page.wait_for_url("**/admin")
    expect(page.locator("#who")).to_have_text("Ada")
    expect(page.locator("#state")).to_have_text("Nothing waits")
    (cookie,) = context.cookies(f"{desk.installation.url}/api/v1/admin/session/oidc/finish")
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (
        "photogate_session",
        True,
        "Strict",
    )
    assert watched.said == []
    # Beside our own pages the browser saw the provider, and it because the person went there.
    origins = {url.split("/")[2] for url in watched.asked if url.startswith("http")}
    assert origins == {u.split("/")[2] for u in (desk.installation.url, provider.issuer)}
    page.locator("#sign-out").click()
    page.wait_for_url("**/admin/sign-in")
    page.goto(f"{desk.installation.url}/admin")
    expect(page.locator("#state")).to_have_text("You are not signed in")


@pytest.mark.slow
def test_what_went_wrong_is_said_in_words(desk: Desk, provider: Provider) -> None:
    page = desk.browser().new_page()
    problem = page.locator("#problem")
    provider.refuses = "access_denied"
    sign_in(page, desk)
    expect(problem).to_have_text("The provider did not let you in, or you cancelled there.")
    # Neither code nor error stays in the address.
    assert page.url == f"{desk.installation.url}/admin/sign-in"
    assert serious(page) == []
    provider.refuses = "<b>call 555</b>"
    sign_in(page, desk)
    expect(problem).to_have_text("The provider did not let you in.")
    provider.refuses = None
    provider.account["groups"] = ["shop"]
    sign_in(page, desk)
    expect(problem).to_contain_text("your account has no role here; ask whoever runs Photogate")
    provider.faults = {"/token": Response(status_code=503)}
    sign_in(page, desk)
    expect(problem).to_contain_text("the sign-in provider does not answer; try again in a moment")
    provider.faults.clear()
    # One who comes with a stranger's answer is not signed in with the stranger's account.
    page.context.clear_cookies()
    page.goto(f"{desk.installation.url}/admin/sign-in/oidc?code=stolen&state=of-a-stranger")
    expect(problem).to_contain_text("began in another browser; begin again")
    # From each of these the way on is one button.
    provider.account["groups"] = ["moderators"]
    page.locator("#provider").click()
    page.locator("#go").click()
    page.wait_for_url("**/admin")


def test_a_link_works_beside_it(desk: Desk, provider: Provider) -> None:
    page = desk.browser().new_page()
    page.goto(desk.link())
    expect(page.locator("#sign-in")).to_be_focused()
    expect(page.locator("#provider")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin")
    expect(page.locator("#who")).to_have_text("ada")

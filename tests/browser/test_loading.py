"""Pages whose scripts or styles do not load say so, and offer to load them again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Desk
from tests.browser.test_review_page import serious, shown

OTHERS = ("/grid", "/rejected", "/user", "/history", "/sign-in")
PAGES = ["", *(pytest.param(path, marks=pytest.mark.slow) for path in OTHERS)]


def said(page: Page) -> str | None:
    """Give the notice that the page did not load, once it is idle; None if there is none."""
    page.wait_for_load_state("networkidle")
    notice = page.get_by_role("alert").filter(has_text="did not load completely")
    return notice.inner_text() if notice.count() else None


@pytest.mark.parametrize("path", PAGES)
def test_a_script_that_does_not_load_is_told(desk: Desk, path: str) -> None:
    page = desk.signed_in().page
    page.route("**/admin/files/api.js", lambda route: route.abort())
    page.goto(f"{desk.installation.url}/admin{path}")
    notice = page.get_by_role("alert").filter(has_text="This page did not load completely.")
    expect(notice).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.unroute("**/admin/files/api.js")
    with page.expect_navigation():
        notice.get_by_role("button", name="Reload").click()
    assert said(page) is None
    expect(page.locator("main")).not_to_contain_text("Loading")


def without(name: str) -> Callable[[Route], None]:
    """Serve a script as another version would have it, which does not export this."""

    def serve(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(name, "renamed"))

    return serve


def broken(route: Route) -> None:
    """Serve a script that needs what the page does not have."""
    answer = route.fetch()
    route.fulfill(response=answer, body=f'document.querySelector("#new").id;{answer.text()}')


def missing(route: Route) -> None:
    route.fulfill(status=404, content_type="application/problem+json", body="{}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "serve"),
    [
        pytest.param("review.js", missing, id="the first script"),
        pytest.param("view.js", without("function strip"), id="one of another version"),
        pytest.param("review.js", broken, id="one for another page"),
        pytest.param("page.css", missing, id="the styles"),
    ],
)
def test_so_is_what_does_not_fit(desk: Desk, file: str, serve: Callable[[Route], None]) -> None:
    page = desk.signed_in().page
    page.route(f"**/admin/files/{file}", serve)
    page.goto(f"{desk.installation.url}/admin")
    expect(page.get_by_role("alert")).to_contain_text("This page did not load completely.")
    assert said(page) is not None


def test_slow_scripts_are_no_failure(desk: Desk, waiting: Callable[..., list[str]]) -> None:
    (photo,) = waiting(1)
    page = desk.signed_in().page
    kept: list[Route] = []
    page.route("**/admin/files/hand.js", lambda route: kept.append(route))
    page.goto(f"{desk.installation.url}/admin", wait_until="commit")
    expect(page.locator("#state")).to_have_text("Loading")
    expect(page.get_by_role("link", name="reload the page")).to_be_visible()
    page.wait_for_timeout(1000)
    assert page.get_by_role("alert").count() == 0
    (route,) = kept
    route.continue_()
    assert shown(page) == photo
    assert page.get_by_role("alert").count() == 0
    assert page.get_by_text("If this stays").count() == 0


def test_a_picture_that_does_not_load_is_told_in_its_place(
    desk: Desk, waiting: Callable[..., list[str]]
) -> None:
    waiting(1)
    page = desk.signed_in().page
    page.route("**/photo?*", lambda route: route.abort())
    page.route("**/icon.svg", lambda route: route.abort())
    page.reload()
    expect(page.locator("#state")).to_have_text("The picture cannot be loaded")
    assert said(page) is None

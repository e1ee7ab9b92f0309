"""The moderators' page where there is little room, and where there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from photogate.adapters.postgres.views import PostgresViews
from photogate.domain import Role
from tests.browser.conftest import Desk
from tests.servers import eventually

Add = Callable[..., list[str]]
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}

#: The names of those whose words need more room than they have.
_TOO_NARROW = """() => {
  const pen = document.createElement("canvas").getContext("2d");
  return ["kind", "rule", "user"].filter((id) => {
    const field = document.getElementById(id);
    const style = getComputedStyle(field);
    pen.font = style.font;
    const words = field.placeholder ?? field.selectedOptions[0].text;
    const arrow = field.placeholder === undefined ? 16 : 0;
    const sides = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    return pen.measureText(words).width + arrow > field.clientWidth - sides;
  });
}"""
_IS_SEEN = """(chip) => {
  const { left, right } = chip.getBoundingClientRect();
  return left >= 0 && right <= innerWidth;
}"""


def photo_is_there(page: Page) -> None:
    expect(page.locator("#picture img")).to_be_visible()


def test_a_rejection_is_begun_and_left_without_a_key(desk: Desk, waiting: Add) -> None:
    (photo,) = waiting(1)
    page = desk.signed_in(**PHONE).page
    photo_is_there(page)
    # The reason that the rule gives is the fifth.
    eventually(lambda: page.locator("#reasons .suggested").evaluate(_IS_SEEN))
    footer = page.locator("footer").bounding_box()

    page.locator("#reject").click()
    expect(page.locator("#strip")).to_contain_text("Why? Choose a reason below.")
    page.locator("#strip button", has_text="Cancel").click()

    expect(page.locator("#strip")).to_be_empty()
    expect(page.locator("#reject")).to_have_attribute("aria-pressed", "false")
    assert page.locator("footer").bounding_box() == footer
    assert desk.status(photo)[0] == "review"


def test_many_rejections_are_left_without_a_key(desk: Desk, waiting: Add) -> None:
    waiting(2)
    page = desk.signed_in(**PHONE).page
    page.goto(f"{page.url}/grid")
    expect(page.locator("#tiles [role=option]")).to_have_count(2)
    page.locator("#all").click()

    page.locator("#reject").click()
    expect(page.locator("#strip")).to_contain_text("Why are 2 photos rejected? Choose")
    page.locator("#strip button", has_text="Cancel").click()

    expect(page.locator("#strip")).to_be_empty()
    expect(page.locator("#reasons.asked")).to_have_count(0)


def test_an_admins_filters_can_be_read_at_1120_pixels(desk: Desk, waiting: Add) -> None:
    waiting(1)
    page = desk.signed_in("eve", Role.ADMIN, viewport={"width": 1120, "height": 700}).page
    photo_is_there(page)
    expect(page.locator("#holds-open")).to_be_visible()

    assert page.evaluate(_TOO_NARROW) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_before_the_first_photo_there_is_none(desk: Desk) -> None:
    empty = desk.signed_in("bob").page
    expect(empty.locator("#state-words")).to_contain_text("No photo came so far.")


def test_the_last_hour_is_told(desk: Desk, deliver: Callable[..., Any], portrait: bytes) -> None:
    desk.installation.hand_in(portrait, b"no picture")
    deliver()
    # The history of other tests is kept.
    hour = PostgresViews(desk.pool).last_hour()
    watched = desk.signed_in()

    words = watched.page.locator("#state-words")
    expect(words).to_contain_text("Last photo 1 min ago.")
    expect(words).to_contain_text(
        f"In the last hour the machine checked {hour.judged.n}: {hour.approved} approved,"
        f" {hour.rejected} rejected, {hour.to_people} left to people."
    )
    watched.assert_calm()

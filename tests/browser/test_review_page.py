"""The moderators' page in a real browser, on the real functions and servers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from photogate.domain import Role
from tests.browser.conftest import Desk
from tests.servers import eventually

Add = Callable[..., list[str]]


#: Adds up how far things moved that nobody had touched, from the page's beginning on.
COUNT_SHIFTS = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""


def shown(page: Page) -> str:
    """Wait for a photo, and give its id."""
    image = page.locator("#picture img")
    expect(image).to_be_visible()
    found = re.search(r"moderation/([^/]+)/photo", image.get_attribute("src") or "")
    assert found
    return found[1]


def reveal(page: Page) -> None:
    page.keyboard.press("Space")
    expect(page.locator("#picture img[src*=display]")).to_be_visible()


def next_one(page: Page, before: str) -> None:
    """Wait until another photo is there, or none."""
    expect(page.locator(f"#picture img[src*='{before}']")).not_to_be_visible()


def test_photos_are_reviewed_by_keyboard_alone(desk: Desk, waiting: Add) -> None:
    ids = waiting(12)
    watched = desk.signed_in()
    page = watched.page
    page.evaluate(COUNT_SHIFTS)
    done: dict[str, tuple[str, str | None]] = {}
    for n in range(10):
        photo = shown(page)
        assert photo not in done
        if n % 3 == 0:
            page.keyboard.press("r")
            page.keyboard.press("1")
            done[photo] = ("rejected", "nsfw")
        elif n % 3 == 1:
            page.keyboard.press("r")
            page.keyboard.press("r")
            done[photo] = ("rejected", "blurry")
        else:
            reveal(page)
            page.keyboard.press("a")
            done[photo] = ("approved", None)
        next_one(page, photo)
    eventually(lambda: {i: desk.status(i) for i in done} == done)

    skipped = shown(page)
    page.keyboard.press("s")
    next_one(page, skipped)
    asked = shown(page)
    page.keyboard.press("e")
    page.keyboard.type("Is this ART? a e r")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Nothing else waits")
    assert set(ids) == {*done, skipped, asked}
    assert desk.status(asked)[0] == "review"
    assert page.evaluate("shift") == 0
    watched.assert_calm()

    admin = desk.signed_in("root", Role.ADMIN)
    expect(admin.page.locator("#evidence blockquote")).to_have_text("Is this ART? a e r")
    assert shown(admin.page) == asked
    admin.assert_calm()


def test_approving_needs_a_look_that_is_logged(desk: Desk, waiting: Add) -> None:
    (photo,) = waiting(1)
    watched = desk.signed_in()
    page = watched.page
    assert shown(page) == photo
    assert "preview" in (page.locator("#picture img").get_attribute("src") or "")
    page.keyboard.press("a")
    expect(page.locator("#strip")).to_contain_text("Reveal the photo before you approve it")
    assert desk.status(photo)[0] == "review"
    sql = "SELECT photo_id, user_id FROM reveals JOIN subjects ON id = person"
    assert desk.pool.transaction(lambda s: s.rows(sql)) == []
    reveal(page)
    assert desk.pool.transaction(lambda s: s.rows(sql)) == [{"photo_id": photo, "user_id": "ada"}]
    page.keyboard.press("a")
    eventually(lambda: desk.status(photo)[0] == "approved")
    expect(page.locator("#state")).to_have_text("Nothing waits")
    expect(page.locator("#waiting")).to_have_text("nothing waits")
    expect(page.locator("#reveal")).to_contain_text("Reveal")
    watched.assert_calm()


@pytest.mark.parametrize("key", ["u", "z"])
def test_undo(desk: Desk, waiting: Add, key: str) -> None:
    waiting(2)
    watched = desk.signed_in()
    page = watched.page
    first = shown(page)
    page.keyboard.press("r")
    page.keyboard.press("2")
    next_one(page, first)
    eventually(lambda: desk.status(first) == ("rejected", "underage"))
    # What comes back is taken anew; keys count for the photo that is there then.
    with page.expect_response("**/review/take"):
        page.keyboard.press(key)
    expect(page.locator("#strip")).to_contain_text("Undone")
    assert shown(page) == first
    assert desk.status(first)[0] == "review"
    page.keyboard.press("r")
    page.keyboard.press("0")
    page.keyboard.type("Please show yourself.")
    page.keyboard.press("Enter")
    eventually(lambda: desk.status(first) == ("rejected", "Please show yourself."))
    watched.assert_calm()


@pytest.mark.slow
def test_two_browsers_never_hold_the_same_photo(desk: Desk, waiting: Add) -> None:
    ids = waiting(14)
    pages = [desk.signed_in("ada").page, desk.signed_in("bob").page]
    seen: list[str] = []
    # Each tab may hold four; until then there is something for both.
    for _ in range(5):
        both = [shown(page) for page in pages]
        assert not set(both) & set(seen)
        assert len(set(both)) == 2
        for page, photo in zip(pages, both, strict=True):
            page.keyboard.press("r")
            page.keyboard.press("5")
            next_one(page, photo)
        seen += both
    assert set(seen) < set(ids)
    eventually(lambda: {desk.status(i)[0] for i in seen} == {"rejected"})


@pytest.mark.slow
def test_a_closed_tab_gives_back_what_it_held(desk: Desk, waiting: Add) -> None:
    (photo,) = waiting(1)
    first = desk.signed_in("ada").page
    assert shown(first) == photo
    second = desk.signed_in("bob").page
    expect(second.locator("#state")).to_have_text("Nothing waits")
    first.close(run_before_unload=True)
    expect(second.locator("#picture img")).to_be_visible()
    assert shown(second) == photo


def test_a_link_works_once_and_looking_at_it_uses_nothing_up(desk: Desk) -> None:
    link = desk.link()
    scanner = desk.browser().new_page()
    scanner.goto(link)
    expect(scanner.locator("#sign-in")).to_be_visible()
    person = desk.browser().new_page()
    person.goto(link)
    person.locator("#sign-in").click()
    person.wait_for_url("**/admin")
    expect(person.locator("#state")).to_have_text("Nothing waits")
    scanner.locator("#sign-in").click()
    expect(scanner.locator("#problem")).to_contain_text("this link was used already")
    (cookie,) = person.context.cookies(f"{desk.installation.url}/api/v1/admin")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    person.locator("#sign-out").click()
    person.wait_for_url("**/admin/sign-in")
    person.goto(f"{desk.installation.url}/admin")
    expect(person.locator("#state")).to_have_text("You are not signed in")


@pytest.mark.slow
def test_without_a_connection_decisions_are_kept_and_sent_later(desk: Desk, waiting: Add) -> None:
    waiting(3)
    page = desk.signed_in().page
    decided = [shown(page)]
    # The next ones are there before they are needed.
    loaded = (
        "performance.getEntriesByType('resource').filter((r) => r.name.includes('/photo?copy='))"
    )
    eventually(lambda: page.evaluate(f"{loaded}.filter((r) => r.responseEnd > 0).length") >= 6)
    page.context.set_offline(True)
    for digit in "12":
        page.keyboard.press("r")
        page.keyboard.press(digit)
        next_one(page, decided[-1])
        decided.append(shown(page))
    expect(page.locator("#strip")).to_contain_text("2 decisions are kept here and sent later")
    assert {desk.status(i)[0] for i in decided} == {"review"}
    page.context.set_offline(False)
    expect(page.locator("#strip")).to_contain_text("everything was sent")
    assert [desk.status(i)[1] for i in decided[:2]] == ["nsfw", "underage"]


@pytest.mark.slow
def test_who_is_faster_than_the_server_is_not_told_that_nothing_waits(
    desk: Desk, waiting: Add
) -> None:
    waiting(6)
    page = desk.signed_in().page
    kept: list[Route] = []
    slow = True
    page.route("**/review/take", lambda route: kept.append(route) if slow else route.continue_())
    for left in (3, 2, 1, 0):
        photo = shown(page)
        page.keyboard.press("r")
        page.keyboard.press("1")
        if left:
            next_one(page, photo)
    expect(page.locator("#state")).to_have_text("Loading")
    slow = False
    for route in kept:
        route.continue_()
    shown(page)


def test_who_decided_first_wins_and_the_other_is_told(desk: Desk, waiting: Add) -> None:
    waiting(2)
    page = desk.signed_in().page
    photo = shown(page)
    backend = desk.installation.client("backend", Role.MODERATOR)
    backend.call("PUT", f"/admin/moderation/{photo}/reject", json={"reason": "nsfw"})
    page.keyboard.press("r")
    page.keyboard.press("5")
    expect(page.locator("#strip")).to_contain_text("backend has decided already: rejected")
    assert desk.status(photo) == ("rejected", "nsfw")


def test_a_session_that_ends_loses_nothing(desk: Desk, waiting: Add) -> None:
    waiting(2)
    page = desk.signed_in().page
    photo = shown(page)
    desk.pool.transaction(lambda s: s.rows("DELETE FROM sessions"))
    page.keyboard.press("r")
    page.keyboard.press("5")
    expect(page.locator("#state")).to_have_text("You are not signed in")
    expect(page.locator("#state-words")).to_contain_text("1 decision is kept in this browser")
    page.goto(desk.link())
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin")
    eventually(lambda: desk.status(photo) == ("rejected", "blurry"))


def test_a_photo_that_nobody_can_see_has_no_picture_and_no_approval(
    desk: Desk, waiting: Add
) -> None:
    (photo,) = waiting(1)
    desk.pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET display_key = NULL, moderation_error = 'the decoder crashed',"
            " moderation_scores = '{}'"
        )
    )
    page = desk.signed_in().page
    expect(page.locator("#state")).to_have_text("There is no picture of this photo")
    expect(page.locator("#evidence")).to_contain_text("the decoder crashed")
    page.keyboard.press("a")
    expect(page.locator("#strip")).to_contain_text("Nobody can approve what nobody can see")
    page.keyboard.press("r")
    page.keyboard.press("8")
    eventually(lambda: desk.status(photo) == ("rejected", "unreadable"))


HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&amp;\u202egnp.\u2066\u2068"


def test_hostile_values_are_words_and_nothing_else(desk: Desk, waiting: Add) -> None:
    waiting(3)
    long = HOSTILE + "<b>" * 3000
    for sql in (
        "UPDATE media SET user_name = :v, moderation_error = :v, moderation_reason = :v,"
        " moderation_scores = jsonb_set(jsonb_set(moderation_scores, '{policy}',"
        "   to_jsonb(CAST(:v AS text))), '{format}', to_jsonb(CAST(:v AS text))) - 'rule'",
        "UPDATE review_items SET note = :v",
    ):
        desk.pool.transaction(lambda s, sql=sql: s.rows(sql, v=long))  # type: ignore[misc]
    for width in (360, 1440):
        watched = desk.signed_in("root" * 30, Role.ADMIN, viewport={"width": width, "height": 800})
        page = watched.page
        page.on("dialog", lambda _: pytest.fail("a script ran"))
        shown(page)
        expect(page.locator("#evidence blockquote")).to_contain_text("<script>")
        expect(page.locator("#evidence bdi").last).to_contain_text("onerror")
        expect(page.locator("#owner .others li")).to_have_count(2)
        assert page.locator("img:not([src^='/api/v1/admin/'])").count() == 0
        assert page.locator("script").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        watched.assert_calm()
        page.close(run_before_unload=True)
        eventually(
            lambda: (
                not desk.pool.transaction(
                    lambda s: s.rows("SELECT 1 AS yes FROM review_items WHERE lease_by IS NOT NULL")
                )
            )
        )


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(360, "dark", marks=pytest.mark.slow),
        (1440, "light"),
        pytest.param(360, "light", marks=pytest.mark.slow),
        pytest.param(1440, "dark", marks=pytest.mark.slow),
    ],
)
def test_nothing_keeps_people_from_using_it(
    desk: Desk, waiting: Add, width: int, scheme: str
) -> None:
    waiting(3)
    options: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    signing = desk.browser(**options).new_page()
    signing.goto(desk.link())
    assert serious(signing) == []
    watched = desk.signed_in(**options)
    page = watched.page
    shown(page)
    expect(page.locator("#owner li")).to_have_count(2)
    assert serious(page) == []
    before = page.locator("footer").bounding_box()
    reveal(page)
    page.keyboard.press("r")
    # A phone has no digits to press.
    said = "Choose a reason below" if width < 900 else "A digit chooses; R takes the marked reason"
    expect(page.locator("#strip")).to_contain_text(said)
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    assert serious(page) == []
    page.keyboard.press("Escape")
    assert page.locator("footer").bounding_box() == before
    page.keyboard.press("?")
    expect(page.locator("#legend")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.assert_calm()


def serious(page: Page) -> list[str]:
    """Name what axe finds serious or worse."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]

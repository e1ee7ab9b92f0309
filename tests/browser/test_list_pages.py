"""The pages with many photos, and the history, in a real browser."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from photogate.domain import Role
from tests.browser.conftest import Desk
from tests.browser.test_review_page import COUNT_SHIFTS, HOSTILE, serious
from tests.servers import eventually

Add = Callable[..., list[str]]

PAGES = ("grid", "rejected", "user#u-1", "history")


def open_page(desk: Desk, page: Page, name: str) -> None:
    page.goto(f"{desk.installation.url}/admin/{name}")


def tiles(page: Page, count: int) -> list[str]:
    """Wait for so many photos, and give their ids in the order that they are shown in."""
    options = page.locator("#tiles [role=option]")
    expect(options).to_have_count(count)
    return [options.nth(n).get_attribute("data-photo") or "" for n in range(count)]


def selected(page: Page) -> list[str]:
    chosen = page.locator("#tiles [aria-selected=true]").all()
    return [tile.get_attribute("data-photo") or "" for tile in chosen]


def statuses(desk: Desk, ids: list[str]) -> list[tuple[str, str | None]]:
    return [desk.status(id_) for id_ in ids]


def test_a_selection_is_made_and_rejected_by_keyboard_alone(desk: Desk, waiting: Add) -> None:
    waiting(9)
    watched = desk.signed_in(viewport={"width": 1440, "height": 800})
    page = watched.page
    page.locator("#pages a", has_text="Grid").click()
    ids = tiles(page, 9)
    page.evaluate(COUNT_SHIFTS)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    assert selected(page) == ids[1:4]
    page.keyboard.press("x")
    page.keyboard.press("End")
    page.keyboard.press("x")
    assert selected(page) == [*ids[1:3], ids[8]]
    page.keyboard.press("r")
    page.keyboard.press("1")
    expect(page.locator("#confirm-words")).to_have_text("Reject 3 photos: nudity?")
    page.keyboard.press("Escape")
    assert statuses(desk, ids) == [("review", None)] * 9
    page.keyboard.press("r")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_have_text("3 photos rejected.")
    assert statuses(desk, [*ids[1:3], ids[8]]) == [("rejected", "underage")] * 3
    # They are not counted twice as gone: once by the server, once here.
    expect(page.locator("#waiting")).to_contain_text("6 wait")
    # Those that are left keep their order.
    assert tiles(page, 6) == [ids[0], *ids[3:8]]
    page.keyboard.press("z")
    expect(page.locator("#strip")).to_have_text("3 photos undone.")
    assert set(tiles(page, 9)) == set(ids)
    assert statuses(desk, ids) == [("review", None)] * 9
    page.keyboard.press("t")
    page.keyboard.press("r")
    page.keyboard.press("0")
    page.keyboard.type("Not here, a r t.")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-words")).to_contain_text("Reject 9 photos: Not here, a r t.?")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Nothing waits")
    assert statuses(desk, ids) == [("rejected", "Not here, a r t.")] * 9
    assert page.evaluate("shift") == 0
    watched.assert_calm()


def test_keys_count_from_the_moment_on_in_which_a_photo_is_not_large_any_more(
    desk: Desk, waiting: Add
) -> None:
    waiting(3)
    page = desk.signed_in().page
    open_page(desk, page, "grid")
    tiles(page, 3)
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#closer img")).to_be_visible()
    # The focus leaves the dialog a little later than the dialog the screen.
    page.evaluate(
        """() => {
          document.querySelector("#closer").close();
          const keys = [{ key: "ArrowRight", shiftKey: true }, { key: "v" }];
          for (const key of keys) {
            const event = new KeyboardEvent("keydown", { ...key, bubbles: true, cancelable: true });
            document.querySelector("#closer button").dispatchEvent(event);
          }
        }"""
    )
    expect(page.locator("#strip")).to_have_text("2 photos revealed.")


def test_what_is_approved_together_was_revealed(desk: Desk, waiting: Add) -> None:
    waiting(4)
    watched = desk.signed_in()
    page = watched.page
    open_page(desk, page, "grid")
    ids = tiles(page, 4)
    page.keyboard.press("t")
    page.keyboard.press("a")
    expect(page.locator("#strip")).to_contain_text("4 of 4 photos not revealed yet")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("#closer img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#closer")).not_to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("v")
    expect(page.locator("#tiles img[src*=thumb]")).to_have_count(2)
    sql = "SELECT photo_id, user_id FROM reveals JOIN subjects ON id = person"
    logged = desk.pool.transaction(lambda s: s.rows(sql))
    assert {(row["photo_id"], row["user_id"]) for row in logged} == {(i, "ada") for i in ids[:2]}
    # Somebody else is quicker with one of them.
    backend = desk.installation.client("backend", Role.MODERATOR)
    backend.call("PUT", f"/admin/moderation/{ids[1]}/reject", json={"reason": "nsfw"})
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("1 photo approved; 1 not")
    eventually(lambda: statuses(desk, ids[:2]) == [("approved", None), ("rejected", "nsfw")])
    expect(page.locator("#strip.problem")).to_be_visible()
    watched.assert_calm()


@pytest.mark.slow
def test_the_grid_and_the_single_photo_never_hold_the_same(desk: Desk, waiting: Add) -> None:
    waiting(5)
    grid = desk.signed_in("ada").page
    grid.locator("#pages a", has_text="Grid").click()
    tiles(grid, 5)
    other = desk.signed_in("bob").page
    expect(other.locator("#state")).to_have_text("Nothing waits")
    grid.goto("about:blank")
    expect(other.locator("#picture img")).to_be_visible(timeout=20_000)


def test_rejected_photos_are_confirmed_restored_and_deleted(desk: Desk, waiting: Add) -> None:
    ids = waiting(4)
    backend = desk.installation.client("backend", Role.MODERATOR)
    for photo in ids:
        backend.call("PUT", f"/admin/moderation/{photo}/reject", json={"reason": "blurry"})
    watched = desk.signed_in()
    page = watched.page
    page.locator("#pages a", has_text="Rejected").click()
    kept, restored, *gone = tiles(page, 4)
    page.keyboard.press("x")
    page.keyboard.press("y")
    expect(page.locator("#strip")).to_have_text("1 photo confirmed.")
    assert tiles(page, 3) == [restored, *gone]
    page.keyboard.press("x")
    page.keyboard.press("v")
    expect(page.locator("#tiles img[src*=thumb]")).to_have_count(1)
    page.keyboard.press("a")
    expect(page.locator("#strip")).to_have_text("1 photo approved.")
    tiles(page, 2)
    page.keyboard.press("t")
    page.keyboard.press("d")
    expect(page.locator("#confirm-words")).to_have_text("Delete 2 photos for good?")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Nothing here")
    assert statuses(desk, [kept, restored]) == [("rejected", "blurry"), ("approved", None)]
    left = desk.pool.transaction(lambda s: s.rows("SELECT CAST(id AS text) AS id FROM media"))
    assert {row["id"] for row in left} == {kept, restored}
    page.locator("#verified").select_option("true")
    assert tiles(page, 1) == [kept]
    expect(page.locator("#tiles .verified")).to_have_text("confirmed by ada")
    watched.assert_calm()


@pytest.mark.slow
def test_suspected_abuse_goes_from_lists_too(desk: Desk, waiting: Add) -> None:
    ids = waiting(6)
    backend = desk.installation.client("backend", Role.MODERATOR)
    for photo in ids[:4]:
        backend.call("PUT", f"/admin/moderation/{photo}/reject", json={"reason": "nsfw"})
    ada, bob = desk.signed_in(), desk.signed_in("bob")
    ada.page.locator("#pages a", has_text="Rejected").click()
    bob.page.locator("#pages a", has_text="Rejected").click()
    seen = tiles(ada.page, 4)
    tiles(bob.page, 4)
    # What the focus is on goes without being selected, here and on the other's screen.
    ada.page.keyboard.press("ArrowRight")
    ada.page.keyboard.press("c")
    expect(ada.page.locator("#strip")).to_contain_text("Withheld from everybody")
    assert tiles(ada.page, 3) == [seen[0], *seen[2:]]
    tiles(bob.page, 3)
    # While a photo is seen large the key works, too.
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("#closer img")).to_be_visible()
    large = ada.page.locator("#closer img").get_attribute("src") or ""
    ada.page.keyboard.press("c")
    expect(ada.page.locator("#closer")).not_to_be_visible()
    tiles(bob.page, 2)
    assert bob.page.locator(f"img[src*='{large.split('/')[-2]}']").count() == 0
    # Several are asked about once.
    ada.page.keyboard.press("t")
    ada.page.keyboard.press("c")
    expect(ada.page.locator("#confirm-words")).to_contain_text("withhold 2 photos?")
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("#state")).to_have_text("Nothing here")
    expect(bob.page.locator("#state")).to_have_text("Nothing here")

    ada.page.locator("#pages a", has_text="Grid").click()
    first, last = tiles(ada.page, 2)
    ada.page.keyboard.press("c")
    assert tiles(ada.page, 1) == [last]
    sql = "SELECT CAST(media.id AS text) AS id FROM media WHERE held_at IS NOT NULL"
    held = {*ids[:4], first}
    eventually(lambda: {row["id"] for row in desk.pool.transaction(lambda s: s.rows(sql))} == held)
    ada.assert_calm()
    bob.assert_calm()


@pytest.mark.slow
def test_what_is_escalated_together_goes_to_the_admins(desk: Desk, waiting: Add) -> None:
    waiting(3)
    watched = desk.signed_in()
    page = watched.page
    page.locator("#pages a", has_text="Grid").click()
    ids = tiles(page, 3)
    for key in ("x", "ArrowRight", "x", "e"):
        page.keyboard.press(key)
    page.keyboard.type("both look forged")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_have_text("2 photos escalated.")
    assert tiles(page, 1) == ids[2:]
    admin = desk.signed_in("root", Role.ADMIN).page
    admin.locator("#pages a", has_text="Grid").click()
    assert set(tiles(admin, 2)) == set(ids[:2])
    sql = "SELECT note FROM review_items WHERE kind = 'escalation'"
    notes = [row["note"] for row in desk.pool.transaction(lambda s: s.rows(sql))]
    assert notes == ["both look forged"] * 2
    watched.assert_calm()


@pytest.mark.slow
def test_keys_of_ones_own_work_on_lists_and_stay_apart(desk: Desk, waiting: Add) -> None:
    waiting(3)
    watched = desk.signed_in()
    page = watched.page
    page.locator("#pages a", has_text="Grid").click()
    ids = tiles(page, 3)
    page.locator("#keys").click()
    # What this page cannot do is not offered, and what stays as it is cannot be chosen.
    assert page.locator("[data-chooses=verify], [data-chooses=select]").count() == 0
    says = page.locator("#legend-says")
    page.locator("[data-chooses=reject]").click()
    page.keyboard.press("x")
    expect(says).to_have_text("X is taken: select.")
    page.keyboard.press("y")
    expect(says).to_have_text("Y is taken: verify. Change that one first.")
    # Taken on the review page alone, but rejecting is there, too.
    page.keyboard.press("b")
    expect(says).to_have_text("B is taken: boxes. Change that one first.")
    page.keyboard.press("j")
    expect(says).to_contain_text("J: reject the selected photos")
    page.keyboard.press("Escape")
    expect(page.locator("#reject kbd")).to_have_text("J")
    # Closing the legend gives the focus back to the photos, not to the button.
    page.keyboard.press("Space")
    assert selected(page) == ids[:1]
    page.keyboard.press("r")
    expect(page.locator("#reject")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("j")
    page.keyboard.press("1")
    expect(page.locator("#strip")).to_have_text("1 photo rejected.")
    page.locator("#pages a", has_text="Review").click()
    expect(page.locator("#reject kbd")).to_have_text("J")
    watched.assert_calm()


@pytest.mark.slow
def test_a_users_photos_and_what_was_decided_about_them(desk: Desk, waiting: Add) -> None:
    waiting(3, user="a/b?c#d é")
    waiting(1, user="other")
    watched = desk.signed_in()
    page = watched.page
    page.locator("#pages a", has_text="User").click()
    expect(page.locator("#state")).to_have_text("Whose photos?")
    page.locator("#user").fill("a/b?c#d é")
    page.keyboard.press("Enter")
    tiles(page, 3)
    expect(page.locator("#summary")).to_have_text("3 photos: 0 approved, 0 rejected, 3 waiting")
    page.locator("#tiles [role=option]").first.click()
    page.keyboard.press("t")
    page.keyboard.press("r")
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_have_text("3 photos: 0 approved, 3 rejected, 0 waiting")
    expect(page.locator("#tiles .is-rejected")).to_have_count(3)
    page.locator("summary").click()
    expect(page.locator("#decisions li")).to_have_count(3)
    expect(page.locator("#decisions li").first).to_have_text("ada · rejected · group · 1 min ago")
    expect(page.locator("#tiles .name").first).to_have_text("group")
    page.locator("#all-decisions").click()
    # Each was judged before, and then sent to a person by this test.
    expect(page.locator("#entries tr")).to_have_count(9)
    watched.assert_calm()


def test_a_phone_says_whose_photos_these_are(desk: Desk, waiting: Add) -> None:
    waiting(5)
    page = desk.signed_in(viewport={"width": 360, "height": 640}).page
    open_page(desk, page, "user#u-1")
    tiles(page, 5)
    # Whole, and not only a strip of the part that it stands in.
    whole, words = (page.locator(name).bounding_box() for name in ("#of-user", "#summary"))
    assert whole is not None
    assert words is not None
    assert whole["y"] < words["y"] < words["y"] + words["height"] < whole["y"] + whole["height"]


@pytest.mark.slow
def test_the_history_is_filtered_and_saved(desk: Desk, waiting: Add) -> None:
    ids = waiting(2, user="whose")
    backend = desk.installation.client("backend", Role.MODERATOR)
    backend.call("PUT", f"/admin/moderation/{ids[0]}/reject", json={"reason": "=HYPERLINK(1)"})
    watched = desk.signed_in("root", Role.ADMIN)
    page = watched.page
    page.locator("#pages a", has_text="History").click()
    expect(page.locator("#entries tr").first).to_be_visible()
    page.locator("#user_id").fill("whose")
    page.keyboard.press("Tab")
    expect(page.locator("#entries tr")).to_have_count(5)
    page.locator("#by").select_option("person")
    expect(page.locator("#entries tr")).to_have_count(1)
    expect(page.locator("#entries")).to_contain_text("=HYPERLINK(1)")
    expect(page.locator("#entries td:nth-child(3)")).to_have_text("decided")
    page.locator("#person").fill("somebody else")
    page.keyboard.press("Tab")
    expect(page.locator("#state")).to_have_text("Nothing was done")
    page.locator("#person").fill("backend")
    page.keyboard.press("Tab")
    expect(page.locator("#entries tr")).to_have_count(1)
    with page.expect_download() as saving:
        page.locator("#export").click()
    text = saving.value.path().read_text(encoding="utf-8")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["photo_id"], row["reason"]) == (ids[0], "'=HYPERLINK(1)")
    page.locator("#entries a", has_text=ids[0][:8]).click()
    expect(page.locator("#entries tr")).to_have_count(3)
    page.locator("#until").fill("2020-01-01")
    page.keyboard.press("Tab")
    expect(page.locator("#state")).to_have_text("Nothing was done")
    watched.assert_calm()


def test_viewers_see_the_history_and_no_photos(desk: Desk, waiting: Add) -> None:
    waiting(1)
    watched = desk.signed_in("eve", Role.VIEWER)
    page = watched.page
    expect(page.locator("#pages a:visible")).to_have_text(["History"])
    for name in PAGES[:3]:
        open_page(desk, page, name)
        expect(page.locator("#state")).to_have_text("Not with your role")
    page.locator("#pages a", has_text="History").click()
    expect(page.locator("#entries tr").first).to_be_visible()
    expect(page.locator("#export")).to_be_hidden()
    assert [url for url in watched.asked if "/photo?" in url] == []
    watched.assert_calm()


def test_who_is_not_signed_in_is_told_so(desk: Desk) -> None:
    page = desk.browser().new_page()
    for name in PAGES:
        open_page(desk, page, name)
        expect(page.locator("#state")).to_have_text("You are not signed in")
        page.locator("#state-words a", has_text="sign in here").click()
        page.wait_for_url("**/admin/sign-in")


def test_hostile_values_are_words_on_lists_too(desk: Desk, waiting: Add) -> None:
    ids = waiting(3, user=HOSTILE)
    backend = desk.installation.client("<script>alert(3)</script>", Role.MODERATOR)
    for photo in ids[:2]:
        backend.call("PUT", f"/admin/moderation/{photo}/reject", json={"reason": HOSTILE})
    long = HOSTILE + "<b>" * 3000
    desk.pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET user_name = :v, moderation_error = :v, verified_by = NULL,"
            " moderation_reason = CASE moderation_status WHEN 'rejected' THEN :v END,"
            " moderation_scores = moderation_scores - 'rule'",
            v=long,
        )
    )
    watched = desk.signed_in("root" * 30, Role.ADMIN)
    page = watched.page
    page.on("dialog", lambda _: pytest.fail("a script ran"))
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        for name, count in (("grid", 1), ("rejected", 2), ("user", 3), ("history", 8)):
            open_page(desk, page, name)
            if name == "user":
                expect(page.locator("#state")).to_have_text("Whose photos?")
                page.locator("#user").fill(HOSTILE)
                page.keyboard.press("Enter")
            if name == "history":
                expect(page.locator("#entries tr").first).to_be_visible()
                page.locator("#user_id").fill(HOSTILE)
                page.keyboard.press("Tab")
                expect(page.locator("#entries tr")).to_have_count(count)
                expect(page.locator("#entries")).to_contain_text("onerror")
            else:
                tiles(page, count)
                expect(page.locator("#tiles")).to_contain_text("onerror")
            assert page.locator("img:not([src^='/api/v1/admin/'])").count() == 0
            assert page.locator("script").count() == 2
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.assert_calm()


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(360, "dark", marks=pytest.mark.slow),
        (1440, "light"),
        pytest.param(360, "light", marks=pytest.mark.slow),
        pytest.param(1440, "dark", marks=pytest.mark.slow),
    ],
)
def test_nothing_keeps_people_from_using_the_lists(
    desk: Desk, waiting: Add, width: int, scheme: str
) -> None:
    ids = waiting(3)
    backend = desk.installation.client("backend", Role.MODERATOR)
    backend.call("PUT", f"/admin/moderation/{ids[0]}/reject", json={"reason": "blurry"})
    options: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    watched = desk.signed_in("root", Role.ADMIN, **options)
    page = watched.page
    for name in PAGES:
        open_page(desk, page, name)
        if name == "history":
            expect(page.locator("#entries tr").first).to_be_visible()
        else:
            expect(page.locator("#tiles [role=option]").first).to_be_visible()
            page.keyboard.press("t")
            assert serious(page) == []
            page.keyboard.press("d" if name == "rejected" else "r")
            page.keyboard.press("1")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.assert_calm()

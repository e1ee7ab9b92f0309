"""Keys of one's own, looking back, boxes, what is withheld, and wellness, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from photogate.auth import issue_token
from photogate.domain import Role
from tests.browser.conftest import Desk
from tests.browser.test_review_page import COUNT_SHIFTS, next_one, reveal, serious, shown
from tests.conftest import SECRET
from tests.servers import eventually

Add = Callable[..., list[str]]


def reject(page: Page, photo: str) -> None:
    page.keyboard.press("r")
    page.keyboard.press("5")
    next_one(page, photo)


@pytest.mark.slow
def test_twenty_photos_by_keyboard_alone_with_keys_of_ones_own(desk: Desk, waiting: Add) -> None:
    waiting(20)
    watched = desk.signed_in()
    page = watched.page
    shown(page)
    page.keyboard.press("?")
    expect(page.locator("#legend")).to_be_visible()
    legend = page.locator("#legend-says")
    page.locator("[data-chooses=approve]").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    expect(legend).to_contain_text("R is taken: reject")
    page.keyboard.press("3")
    expect(legend).to_contain_text("Digits choose reasons")
    page.keyboard.press("Escape")
    expect(legend).to_contain_text("It keeps its key")
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    expect(legend).to_contain_text("J: approve")
    page.keyboard.press("Escape")
    expect(page.locator("#approve kbd")).to_have_text("J")
    page.reload()
    expect(page.locator("#approve kbd")).to_have_text("J")

    page.evaluate(COUNT_SHIFTS)
    done: dict[str, str] = {}
    for n in range(20):
        photo = shown(page)
        if n % 2:
            reveal(page)
            page.keyboard.press("a")
            page.keyboard.press("j")
            done[photo] = "approved"
            next_one(page, photo)
        else:
            reject(page, photo)
            done[photo] = "rejected"
    expect(page.locator("#state")).to_have_text("Nothing waits")
    eventually(lambda: {photo: desk.status(photo)[0] for photo in done} == done)
    assert len(done) == 20
    expect(page.locator("#day")).to_contain_text("10 revealed today")
    assert page.evaluate("shift") == 0

    page.keyboard.press("?")
    page.locator("#usual-keys").click()
    expect(page.locator("#approve kbd")).to_have_text("A")
    watched.assert_calm()


@pytest.mark.slow
def test_back_to_what_was_decided_and_anew(desk: Desk, waiting: Add) -> None:
    waiting(4)
    watched = desk.signed_in()
    page = watched.page
    decided = []
    for _ in range(3):
        decided.append(shown(page))
        reject(page, decided[-1])
    fourth = shown(page)
    eventually(lambda: all(desk.status(photo)[0] == "rejected" for photo in decided))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == decided[1]
    expect(page.locator("#strip")).to_contain_text("Back 2 of 3: rejected")
    page.keyboard.press("e")
    expect(page.locator("#strip")).to_contain_text("Approve it or reject it")
    reveal(page)
    page.keyboard.press("a")
    eventually(lambda: desk.status(decided[1]) == ("approved", None))
    assert shown(page) == fourth
    # The order is that of the decisions; a reload keeps them.
    page.reload()
    assert shown(page) == fourth
    page.keyboard.press("ArrowLeft")
    assert shown(page) == decided[1]
    page.keyboard.press("ArrowRight")
    assert shown(page) == fourth
    watched.assert_calm()
    # What somebody else decided since stays as they did.
    backend = desk.installation.client("backend", Role.MODERATOR)
    backend.call("PUT", f"/admin/moderation/{decided[2]}/reject", json={"reason": "nsfw"})
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == decided[2]
    reject(page, decided[2])
    expect(page.locator("#strip")).to_contain_text("backend has decided already")
    assert desk.status(decided[2]) == ("rejected", "nsfw")


SCORES: dict[str, Any] = {
    "nsfw_scores": {"porn": 0.1, "sexy": 0.2, "hentai": 0.01, "neutral": 0.6, "drawing": 0.09},
    "opinions": {"opennsfw": {"explicit": 0.44}},
    "tile": {"box": [0.5, 0, 1, 0.5], "explicit": 0.44},
    "faces": [{"box": [0.3, 0.2, 0.6, 0.7], "score": 0.9, "age": {"low": 34, "high": 41}}],
    "rule": {"name": "nsfw.tile", "value": 0.44, "bound": 0.3, "part": [0.5, 0, 1, 0.5]},
    "policy": "profile@4",
    "width": 640,
    "height": 480,
}


def with_scores(desk: Desk) -> None:
    desk.pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET moderation_scores = CAST(:s AS jsonb)", s=json.dumps(SCORES)
        )
    )


def test_boxes_scores_and_the_policy_explain_the_photo(desk: Desk, waiting: Add) -> None:
    waiting(2)
    with_scores(desk)
    watched = desk.signed_in()
    page = watched.page
    shown(page)
    boxes = page.locator("#picture svg.boxes")
    page.keyboard.press("b")
    expect(page.locator("#strip")).to_contain_text("once the photo is revealed")
    expect(boxes).to_have_count(0)
    reveal(page)
    expect(boxes.locator("rect.face")).to_have_count(1)
    expect(boxes.locator("rect.part")).to_have_count(1)
    expect(boxes.locator("text").last).to_have_text("face, 34 to 41 years")
    # The box lies where it should on the picture that is seen.
    image = page.locator("#picture img").bounding_box()
    box = boxes.locator("rect.face").bounding_box()
    assert image
    assert box
    ratio = page.eval_on_selector("#picture img", "i => i.naturalWidth / i.naturalHeight")
    width = min(image["width"], image["height"] * ratio)
    left = image["x"] + (image["width"] - width) / 2
    assert box["x"] == pytest.approx(left + 0.3 * width, abs=3)
    assert box["width"] == pytest.approx(0.3 * width, abs=4)

    page.get_by_text("What each model says").click()
    bars = page.locator(".model")
    expect(bars).to_have_count(2)
    expect(bars.last.locator("svg").first).to_have_attribute(
        "aria-label", "explicit: 0.44; person above 0.3; rejected above 0.9"
    )
    page.get_by_role("button", name="Read the policy").click()
    expect(page.locator("#policy-text")).to_contain_text("above 0.3: a person looks (nsfw)")
    page.keyboard.press("Escape")
    expect(page.locator("#policy-text")).to_be_hidden()
    page.keyboard.press("b")
    expect(boxes).to_have_count(0)
    # Folds stay as they were for the next photo.
    reject(page, shown(page))
    expect(bars.first).to_be_visible()
    watched.assert_calm()


def asked(desk: Desk, method: str, path: str, role: Role = Role.USER) -> int:
    """Give the status of an answer to the owner of all photos, in this role."""
    token = issue_token("u-1", secret=SECRET, role=role)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{desk.installation.url}/api/v1{path}"
    return requests.request(method, url, headers=headers, timeout=10).status_code


def pictures_of(page: Page, photo: str) -> int:
    return page.locator(f"img[src*='{photo}']").count()


def test_suspected_abuse_goes_from_every_screen_at_once(desk: Desk, waiting: Add) -> None:
    waiting(9)
    ada, bob = desk.signed_in(), desk.signed_in("bob")
    for watched in (ada, bob):
        shown(watched.page)
        expect(watched.page.locator("#owner li")).to_have_count(8)
    photo = shown(ada.page)
    second_tab = ada.page.context.new_page()
    second_tab.goto(f"{desk.installation.url}/admin")
    expect(second_tab.locator("#owner li")).to_have_count(8)
    assert pictures_of(bob.page, photo) + pictures_of(second_tab, photo) == 2
    ada.page.keyboard.press("c")
    expect(ada.page.locator("#strip")).to_contain_text("Withheld from everybody")
    assert pictures_of(ada.page, photo) == 0
    for page in (second_tab, bob.page):
        expect(page.locator(f"img[src*='{photo}']")).to_have_count(0)
    eventually(lambda: desk.status(photo) == ("rejected", None))
    ada.page.keyboard.press("ArrowLeft")
    expect(ada.page.locator("#strip")).to_contain_text("There is none")

    # Nobody gets it, and nothing of it goes.
    for name in ("display", "thumb", "preview"):
        address = f"/admin/moderation/{photo}/photo?copy={name}"
        assert asked(desk, "GET", address, Role.ADMIN) == 404
    assert asked(desk, "GET", f"/users/media/{photo}/photo") == 404
    assert asked(desk, "DELETE", f"/users/media/{photo}") == 404
    assert asked(desk, "DELETE", f"/admin/moderation/rejected/{photo}", Role.ADMIN) == 409
    assert photo not in [entry["id"] for entry in desk.installation.client().photos()]
    assert desk.status(photo)[0] == "rejected"

    root = desk.signed_in("root", Role.ADMIN)
    page = root.page
    expect(page.locator("#holds-open")).to_have_text("Report 1")
    page.locator("#holds-open").click()
    expect(page.locator("#hold-list")).to_contain_text(f"{photo}")
    expect(page.locator("#hold-list")).to_contain_text("by ada")
    assert page.locator("#holds img").count() == 0
    assert serious(page) == []
    page.locator("#hold-list input").fill("NCMEC 123")
    page.get_by_role("button", name="It is reported").click()
    expect(page.locator("#hold-list")).to_contain_text("by root: NCMEC 123")
    page.locator("#hold-list input").fill("a wrong key")
    page.get_by_role("button", name="It was a mistake").click()
    expect(page.locator("#hold-list")).to_have_text("Nothing is withheld.")
    assert desk.status(photo) == ("review", None)
    bob.assert_calm()
    ada.assert_calm()


def test_the_day_has_an_end_and_breaks(
    desk: Desk, waiting: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Read when the first moderator comes.
    monkeypatch.setenv("REVEALS_PER_DAY", "2")
    waiting(3)
    watched = desk.signed_in()
    page = watched.page
    for n in range(2):
        photo = shown(page)
        reveal(page)
        expect(page.locator("#day")).to_contain_text(f"{n + 1} of 2 revealed today")
        reject(page, photo)
    shown(page)
    page.keyboard.press("Space")
    expect(page.locator("#strip")).to_contain_text("you have looked at 2 photos today")
    assert "preview" in (page.locator("#picture img").get_attribute("src") or "")
    page.clock.install()
    for _ in range(13):
        page.clock.fast_forward("04:00")
        page.keyboard.press("b")
    expect(page.locator("#day")).to_contain_text("time for a break")
    page.clock.fast_forward("06:00")
    page.keyboard.press("b")
    expect(page.locator("#day")).to_contain_text("break in 50 min")
    assert [line for line in watched.said if "409" not in line] == []


@pytest.mark.slow
def test_revealed_photos_are_shown_as_one_chose(desk: Desk, waiting: Add) -> None:
    waiting(2)
    watched = desk.signed_in()
    page = watched.page
    photo = shown(page)
    page.locator("#comfort-open").click()
    page.get_by_label("sharp around the pointer").check()
    page.get_by_label("grey", exact=True).check()
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#comfort")).to_be_hidden()
    reveal_lens(page)
    filters = "i => getComputedStyle(i).filter"
    first = "#picture img:not(.sharp)"
    assert page.eval_on_selector(first, filters) == "grayscale(1) blur(16px)"
    assert page.eval_on_selector(".sharp", filters) == "grayscale(1)"
    page.hover("#picture", position={"x": 120, "y": 90})
    assert "120px 90px" in page.eval_on_selector(".sharp", "i => getComputedStyle(i).clipPath")
    page.keyboard.press("Space")
    expect(page.locator(".sharp")).to_have_count(0)
    with page.expect_response("**/review/take"):
        reject(page, photo)
    eventually(lambda: desk.status(photo)[0] == "rejected")
    page.reload()
    shown(page)
    # Kept, and the next one comes hidden all the same.
    assert "preview" in (page.locator(first).get_attribute("src") or "")
    reveal_lens(page)
    watched.assert_calm()


def reveal_lens(page: Page) -> None:
    page.keyboard.press("Space")
    expect(page.locator("#picture img.sharp[src*=display]")).to_be_visible()

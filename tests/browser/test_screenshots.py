"""The main pages, as pictures for docs/review.md; `make screenshots` puts them there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from local.samples import jpeg, photograph
from photogate.domain import Role
from tests.browser.conftest import Desk
from tests.functions.conftest import make_copies
from tests.servers import eventually

pytestmark = pytest.mark.slow

#: Where they are kept; elsewhere the test only looks whether they can be made.
FOLDER = os.environ.get("PHOTOGATE_SCREENSHOTS")
MOST_BYTES = 100_000
#: What the scores say, so that the photos wait for a person for several reasons.
DOUBTS = (
    '{"blur_variance": 20.5, "rule": {"name": "blur_variance", "value": 20.5, "bound": 35}}',
    '{"opinions": {"opennsfw": {"explicit": 0.41}},'
    ' "rule": {"name": "nsfw.second", "value": 0.41, "bound": 0.3}}',
    '{"blur_variance": 31, "rule": {"name": "blur_variance", "value": 31, "bound": 35}}',
)
#: Those further down are loaded when somebody gets there.
PICTURES_ARE_THERE = """() => [...document.images].every((image) =>
  image.getBoundingClientRect().top > innerHeight || (image.complete && image.naturalWidth > 0))"""
#: Public-domain pictures that scikit-image ships.
PICTURES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    return Path(FOLDER).resolve() if FOLDER else tmp_path


@pytest.fixture
def queue(desk: Desk, deliver: Callable[..., list[str]]) -> None:
    """Let harmless pictures of three users wait for a person."""
    for user in ("amber", "birch", "cedar"):
        photos = []
        for n, name in enumerate(PICTURES):
            image = photograph(name)
            image.thumbnail((640, 640))
            photos.append(jpeg(image) + user.encode() + bytes([n]))
        desk.installation.hand_in(*photos, user=user)
    deliver()
    make_copies()
    for n, doubt in enumerate(DOUBTS):
        desk.pool.transaction(
            lambda s, n=n, doubt=doubt: s.rows(  # type: ignore[misc]
                "UPDATE media SET moderation_status = 'review', moderation_reason = NULL,"
                " user_name = initcap(user_id),"
                " moderation_scores = moderation_scores || CAST(:doubt AS jsonb)"
                " WHERE display_key IS NOT NULL AND display_order % 3 = :n",
                doubt=doubt,
                n=n,
            )
        )


def test_the_main_pages(desk: Desk, queue: None, shots: Path) -> None:
    at_a_desk = {"viewport": {"width": 1120, "height": 700}}
    signing = desk.browser(viewport={"width": 720, "height": 450}).new_page()
    signing.goto(desk.link())
    keep(signing, shots / "sign-in.png")

    page = desk.signed_in("ada", Role.ADMIN, **at_a_desk).page
    expect(page.locator("#owner li").first).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#picture img[src*=display]")).to_be_visible()
    keep(page, shots / "review.png")

    go(page, "Grid")
    expect(page.locator("#tiles [role=option]").nth(3)).to_be_visible()
    page.keyboard.press("x")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("v")
    expect(page.locator("#tiles img[src*=thumb]")).to_have_count(4)
    keep(page, shots / "grid.png")
    page.keyboard.press("r")
    page.keyboard.press("5")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("4 photos rejected")

    go(page, "Rejected")
    expect(page.locator("#tiles [role=option]")).to_have_count(4)
    keep(page, shots / "rejected.png")

    page.locator("#about a").click()
    expect(page.locator("#summary")).to_contain_text("photos:")
    page.locator("summary").click()
    expect(page.locator("#decisions li").first).to_be_visible()
    keep(page, shots / "user.png")

    go(page, "History")
    page.locator("#by").select_option("person")
    expect(page.locator("#entries tr").first).to_be_visible()
    keep(page, shots / "history.png")


def test_the_main_pages_on_a_phone_in_the_dark(desk: Desk, queue: None, shots: Path) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    page = desk.signed_in("ada", Role.ADMIN, **phone).page
    expect(page.locator("#picture img")).to_be_visible()
    keep(page, shots / "review-phone.png")
    go(page, "Grid")
    expect(page.locator("#tiles [role=option]").nth(3)).to_be_visible()
    page.keyboard.press("x")
    keep(page, shots / "grid-phone.png")


def go(page: Page, name: str) -> None:
    page.locator("#pages a", has_text=name).click()


def keep(page: Page, path: Path) -> None:
    """Keep what the page shows, once its pictures are there, in as many colours as fit."""
    eventually(lambda: page.evaluate(PICTURES_ARE_THERE))
    page.screenshot(path=path, animations="disabled", caret="hide")
    with Image.open(path) as image:
        shot = image.convert("RGB")
    common = sorted(shot.getcolors(shot.width * shot.height) or (), reverse=True)[:48]
    own = [channel for _, colour in common for channel in cast(tuple[int, int, int], colour)]
    for more in (200, 100, 50, 25, 12):
        # The page's own colours as they are; those of photos as near as so many more allow.
        palette = Image.new("P", (1, 1))
        palette.putpalette(own + (shot.quantize(more).getpalette() or [])[: 3 * more])
        shot.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            return
    pytest.fail(f"{path.name} has {path.stat().st_size} bytes")

"""The page of ``photogate evaluate --html``, as people see it who are handed it.

Its pictures are generated: shapes, some of them blurred. `make screenshots` takes a picture of the
page for docs/accuracy.md.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Page

from local.samples import jpeg
from photogate.policies import preset
from tests.browser.test_screenshots import FOLDER, keep
from tests.e2e.running import PHOTOGATE, clean_environment

pytestmark = pytest.mark.slow

COMMAND = (PHOTOGATE, "evaluate", "--expect", "shapes=approve", "--expect", "blurred=reject")
EACH = 40

Scheme = Literal["light", "dark"]


def shapes(draw: np.random.Generator) -> Image.Image:
    """Draw a harmless picture: rectangles and circles on a gradient, with a grain."""
    side = 320
    ground = np.linspace(draw.integers(60, 255, 3), draw.integers(0, 200, 3), side)
    rows = np.broadcast_to(ground[:, None, :], (side, side, 3))
    grain = draw.normal(0, 6, (side, side, 1))
    image = Image.fromarray(np.clip(rows + grain, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, width, height = (int(n) for n in draw.integers(10, side // 3, 4))
        box = (2 * x, 2 * y, 2 * x + width, 2 * y + height)
        colour = tuple(int(n) for n in draw.integers(0, 255, 3))
        (pen.rectangle if draw.random() < 0.5 else pen.ellipse)(box, fill=colour)
    return image


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, bundle: Path, second_bundle: Path
) -> tuple[Path, str]:
    """The page, and what the command printed."""
    folder = tmp_path_factory.mktemp("evaluate")
    draw = np.random.default_rng(7)
    for label in ("shapes", "blurred"):
        (folder / "set" / label).mkdir(parents=True)
        for number in range(EACH):
            image = shapes(draw)
            if label == "blurred":
                image = image.filter(ImageFilter.GaussianBlur(float(draw.uniform(0.5, 7))))
            (folder / "set" / label / f"{number:02}.jpg").write_bytes(jpeg(image))
    page = folder / "page.html"
    done = subprocess.run(
        [*COMMAND, "--policy", "community", "--html", page, folder / "set"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**clean_environment(), "PHOTOGATE_HOME": str(folder / "home"), "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    return page, done.stdout


class Seen:
    """The page in a browser without a network, and what was asked and said meanwhile."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))


@pytest.fixture(params=[(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")])
def seen(
    request: pytest.FixtureRequest, browser: Browser, written: tuple[Path, str]
) -> Iterator[Seen]:
    """The page at each width, by day and by night."""
    width, scheme = request.param
    viewport = {"width": width, "height": 800}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
    seen = Seen(context.new_page())
    seen.page.goto(written[0].as_uri())
    yield seen
    context.close()


def test_it_needs_nothing_else_and_says_nothing(seen: Seen, written: tuple[Path, str]) -> None:
    assert seen.asked == [written[0].as_uri()]
    assert seen.said == []
    assert seen.page.locator("script, img, link, iframe").count() == 0


def test_tables_have_the_figures_that_were_printed(seen: Seen, written: tuple[Path, str]) -> None:
    printed = written[1]
    rows = seen.page.locator("tbody tr")
    assert rows.count() == 2
    for label in ("shapes", "blurred"):
        cells = seen.page.locator("tr", has_text=label).locator("td")
        name, should, pictures, *shares = cells.all_inner_texts()
        assert (name, pictures) == (label, str(EACH))
        assert should in ("approved", "rejected")
        for share in shares:
            assert share in printed, share
    for line in ("recall", "false alarms", "left to people"):
        assert seen.page.locator("li", has_text=line).count() == 1


def test_each_bound_has_a_plot_with_its_lines(seen: Seen) -> None:
    bounds = sum(
        (t.review is not None) + (t.reject is not None) for t in preset("community").thresholds
    )
    plots = seen.page.locator(".plots svg")
    assert plots.count() == bounds
    width = seen.page.evaluate("innerWidth")
    for plot in plots.all():
        box = plot.bounding_box()
        assert box
        assert box["width"] > 250
        assert box["height"] > 140
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        words = set(plot.locator("text").all_text_contents())
        assert {"recall", "false alarms", "to a person", "%"} <= words
        assert plot.locator("path").count() > 10


def test_nothing_is_scrolled_sideways(seen: Seen) -> None:
    wider = seen.page.evaluate(
        "[...document.querySelectorAll('html, body *')].filter((e) =>"
        " !(e instanceof SVGElement) && e.scrollWidth > e.clientWidth && e.clientWidth > 0"
        " && getComputedStyle(e).display !== 'inline').map((e) => e.outerHTML.slice(0, 80))"
    )
    assert wider == []


CONTRAST = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((n) => n / 255).map((c) =>
      c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const canvas = document.createElement("div");
  canvas.style.color = "Canvas";
  document.body.append(canvas);
  const ground = luminance(getComputedStyle(canvas).color);
  canvas.remove();
  const ratio = (l) => (Math.max(l, ground) + 0.05) / (Math.min(l, ground) + 0.05);
  const texts = [...document.querySelectorAll("h1, li, td, .plots text")];
  return Math.min(...texts.map((e) => {
    const style = getComputedStyle(e);
    return ratio(luminance(e instanceof SVGElement ? style.fill : style.color));
  }));
}"""


def test_all_can_be_read_by_day_and_by_night(seen: Seen) -> None:
    assert seen.page.evaluate(CONTRAST) > 7  # WCAG 2.2, 1.4.6


def test_its_picture(browser: Browser, written: tuple[Path, str], tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1120, "height": 840}, offline=True)
    page = context.new_page()
    page.goto(written[0].as_uri())
    keep(page, (Path(FOLDER).resolve() if FOLDER else tmp_path) / "evaluate.png")
    context.close()

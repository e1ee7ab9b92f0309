"""The copy of every file of the gallery is what was judged, in Chromium, on any page.

Tolerances: those of ``copies.matching``; 6 grey levels of 255 in the mean of all pixels and
channels, as JPEG keeps colours at half size; .15 of the probability of each kind of nudity, as that
changes with little noise. Files whose copy would differ more are named, and have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page

from photogate.errors import CopyDiffers
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.copies.encoding import CopyForm
from photogate_vision.copies.maker import Copier
from photogate_vision.copies.matching import difference
from photogate_vision.decoding.sandbox import Sandbox
from tests.browser.test_originals import screenshots
from tests.model.files import encoded
from tests.model.gallery import gallery, two_faced
from tests.model.originals import Original, most_of_them_slow

_GREY_LEVELS, _PROBABILITY = 6.0, 0.15
_OF_NUDITY = ("porn", "sexy", "hentai")
#: A profile that turns neighbouring levels into opposite ones: compressed, its colours mix. Each of
#: them goes to a person anyway (``colour_unsure``).
_MAY_BE_HELD_BACK = "other levels between six"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1600, "height": 1600})
    yield page
    page.close()


@pytest.fixture(scope="module")
def analyzer(bundle: Path) -> VisionAnalyzer:
    return VisionAnalyzer(bundle)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("original", most_of_them_slow(gallery()))
def test_a_copy_shows_what_was_judged(
    original: Original, page: Page, sandbox: Sandbox, analyzer: VisionAnalyzer
) -> None:
    data = original.make()
    judged = sandbox.decode(data)[0]
    try:
        display, *others = Copier(sandbox.show, CopyForm()).copies(data)
    except CopyDiffers:
        assert _MAY_BE_HELD_BACK in original.name
        return
    white, black = screenshots(page, display.data, display.content_type).values()
    # on every page the same, and what was judged
    assert ImageChops.difference(white, black).getbbox() is None
    assert white.size == (judged.width, judged.height) or max(white.size) == 1600
    assert difference(judged, white).tolerable
    small = white.resize(judged.size, Image.Resampling.BOX)
    apart = np.asarray(small, np.int16) - np.asarray(judged.image, np.int16)
    assert np.abs(apart).mean() < _GREY_LEVELS
    before, after = (
        analyzer.analyze(encoded(image, "PNG"))[0].nsfw_scores for image in (judged.image, white)
    )
    assert before is not None
    assert after is not None
    for name in _OF_NUDITY:
        assert after[name] == pytest.approx(before[name], abs=_PROBABILITY)
    assert [copy.name for copy in others] == ["thumb", "preview"]


def test_where_viewers_see_something_else_there_is_no_copy(sandbox: Sandbox) -> None:
    for form in (CopyForm(), CopyForm(format="WEBP")):
        with pytest.raises(CopyDiffers, match="differs from what was judged"):
            Copier(sandbox.show, form).copies(two_faced())

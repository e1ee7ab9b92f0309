"""What is judged is what Chromium shows of the original, on a white page and on a dark one.

Tolerances: .1 of a probability, and 4 grey levels of 255 in the mean of all pixels (9 in AVIF
with opacity or frames). What is not judged alike goes to a person, by the measure that the
gallery names.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page

from photogate.domain import Signals, Status
from photogate.domain.measures import MEASURES
from photogate.domain.policy import decide, for_originals
from photogate.policies import preset
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.decode import Picture, decode
from tests.model.files import encoded
from tests.model.originals import Original, animations, most_of_them_slow, stills

POLICY = for_originals(preset("community"))
PAGES = ("white", "black")
_PROBABILITY = 0.1

#: Draws every frame that the browser's own decoder gives, as an <img> would show them.
_FRAMES = """
async ({data, type}) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const decoder = new ImageDecoder({data: bytes, type});
  await decoder.tracks.ready;
  await decoder.completed;
  const shown = [];
  for (let n = 0; n < decoder.tracks.selectedTrack.frameCount; n++) {
    const {image} = await decoder.decode({frameIndex: n});
    const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight);
    const context = canvas.getContext('2d');
    for (const page of ['white', 'black']) {
      context.fillStyle = page;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0);
      const blob = await canvas.convertToBlob({type: 'image/png'});
      const drawn = new Uint8Array(await blob.arrayBuffer());
      shown.push([page, btoa(drawn.reduce((text, byte) => text + String.fromCharCode(byte), ''))]);
    }
    image.close();
  }
  return shown;
}
"""


@pytest.fixture(scope="module")
def analyzer(bundle: Path) -> VisionAnalyzer:
    return VisionAnalyzer(bundle)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1600, "height": 1600})
    # Only pages that are local or have a certificate may ask for frames.
    page.route("http://localhost/", lambda route: route.fulfill(body="<!doctype html>"))
    page.goto("http://localhost/")
    yield page
    page.close()


@pytest.mark.parametrize("original", most_of_them_slow(stills()))
def test_a_still_is_judged_as_it_is_shown(
    original: Original, page: Page, analyzer: VisionAnalyzer
) -> None:
    data = original.make()
    looks, signals = decode(data), analyzer.analyze(data)
    assert_told(original, signals)
    if original.measure in ("colour_unsure", "gain_map"):
        return
    for background, shown in screenshots(page, data, original.type).items():
        ((look, measured),) = (
            pair
            for pair in zip(looks, signals, strict=True)
            if pair[0].background in (None, background)
        )
        assert distance(look, shown) < original.grey_levels
        (as_shown,) = analyzer.analyze(encoded(shown, "PNG"))
        assert measured.nsfw_scores == pytest.approx(as_shown.nsfw_scores, abs=_PROBABILITY)


@pytest.mark.parametrize("original", most_of_them_slow(animations()))
def test_every_frame_was_looked_at(
    original: Original, page: Page, analyzer: VisionAnalyzer
) -> None:
    data = original.make()
    looks = decode(data)
    assert_told(original, analyzer.analyze(data))
    # On an empty page: beside large pictures Chromium writes each frame a second later.
    page.goto("http://localhost/")
    frames = page.evaluate(_FRAMES, {"data": _text(data), "type": original.type})
    assert len(frames) > 2
    for background, text in frames:
        shown = Image.open(BytesIO(base64.b64decode(text))).convert("RGB")
        near = [distance(e, shown) for e in looks if e.background in (None, background)]
        assert min(near) < original.grey_levels or original.measure is not None


def assert_told(original: Original, signals: list[Signals]) -> None:
    """Compare what goes to a person with what the gallery says."""
    asked = {
        measure: value
        for each in signals
        for measure in ("aspect", "colour_unsure", "gain_map", "frames_unseen")
        if (value := MEASURES[measure].read(each)) and value > (4 if measure == "aspect" else 0)
    }
    assert set(asked) == ({original.measure} if original.measure else set())
    if original.measure is not None:
        assert {decide(each, POLICY).status for each in signals} <= {Status.REVIEW, Status.REJECTED}


def screenshots(page: Page, data: bytes, kind: str) -> dict[str, Image.Image]:
    """Give what Chromium shows of a picture, by the colour of the page, each of ``PAGES``."""
    image = f'<img style="display:block" src="data:{kind};base64,{_text(data)}">'
    blocks = (f'<div style="background:{colour}">{image}</div>' for colour in PAGES)
    page.set_content(f'<body style="margin:0">{"".join(blocks)}')
    width, height = page.evaluate(
        """async () => {
          const images = [...document.images];
          await Promise.all(images.map(image => image.decode()));
          return [images[0].width, images[0].height];
        }"""
    )
    # one for all: it takes 0.1 s, however large it is
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": height * len(PAGES)}
    shown = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")
    tops = range(0, height * len(PAGES), height)
    return {
        colour: shown.crop((0, top, width, top + height))
        for colour, top in zip(PAGES, tops, strict=True)
    }


def distance(look: Picture, shown: Image.Image) -> float:
    """Mean absolute difference of all pixels, in grey levels of 255."""
    assert (look.width, look.height) == shown.size
    small = shown.resize(look.size, Image.Resampling.BOX)
    pixels = [np.asarray(image, np.int16) for image in (look.image, small)]
    return float(np.abs(pixels[0] - pixels[1]).mean())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

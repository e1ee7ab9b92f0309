"""docs/tutorial.md, followed from its beginning to its end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.docs import ROOT, Block, blocks
from tests.e2e.running import RunningStack, clean_environment
from tests.e2e.test_docs import folder, typed
from tests.servers import eventually

__all__ = ["folder"]

pytestmark = pytest.mark.slow

PAGE = "docs/tutorial.md"


def steps() -> list[Block]:
    """Give the page's blocks that are run, in their order."""
    return [block for block in blocks() if block.page == PAGE and block.why_not_run is None]


def test_it_holds(start: Callable[..., RunningStack], folder: Path, browser: Browser) -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    look, explain, bound, app, sign_in = steps()
    (folder / "layers").symlink_to(ROOT / "layers")

    said = typed(look.script, COLUMNS="200")
    assert re.search(r"sharp\.jpg .*approved", said)
    assert re.search(r"soft\.jpg .*rejected .*blurry", said)
    said = typed(explain.script, COLUMNS="200")
    assert re.search(r"soft\.jpg: rejected: sharpness is [\d.]+, below 10", said)
    assert re.search(r"blur_variance ◀ decided .*below 35 .*below 10 .*rejected .*blurry", said)
    said = typed(bound.script, COLUMNS="200")
    assert re.search(r"soft\.jpg .*review .*blur_variance", said)

    stack = start(POLICY=str(folder / "mine.yaml"))
    (program,) = re.findall(r"```python\n(.*?)^```", text, re.S | re.M)
    (folder / "app.py").write_text(program.replace("http://127.0.0.1:8000", stack.url))
    here = {"PHOTOGATE_HOME": str(stack.home)}
    output = folder / "app.out"
    with output.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-euc", app.script],
            env={**clean_environment(), **here},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: process.poll() is not None or " review" in output.read_text())
        assert process.poll() is None, output.read_text()
        (soft,) = set(re.findall(r"(\S+) review", output.read_text()))
        with closing(browser.new_context()) as context:
            page = context.new_page()
            page.goto(typed(sign_in.script, **here).strip())
            page.keyboard.press("Enter")
            page.wait_for_url("**/admin")
            expect(page.locator("#picture img")).to_be_visible()
            page.keyboard.press("Space")
            expect(page.locator("#picture img[src*=display]")).to_be_visible()
            page.keyboard.press("a")
            assert process.wait(60) == 0, output.read_text()
    finally:
        process.kill()
        process.wait(20)
    assert f"{soft} approved" in output.read_text()

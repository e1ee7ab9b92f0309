"""The pages that document the APIs, as a browser without the internet shows them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect

from local.api import app
from tests.chromium import HOST
from tests.servers import serve


@pytest.mark.parametrize("base", ["/api/v1", "/api/v1/admin"])
def test_a_page_shows_every_operation_and_asks_nobody_else(browser: Browser, base: str) -> None:
    with serve(app) as local:
        schema = requests.get(f"{local}{base}/openapi.json", timeout=10).json()
        operations = sorted(
            f"{method.upper()} {path}" for path, item in schema["paths"].items() for method in item
        )
        assert len(operations) >= 5

        origin = f"http://{HOST}:{urlsplit(local).port}"
        page = browser.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{origin}{base}/docs")

        blocks = page.locator(".opblock")
        expect(blocks).to_have_count(len(operations))
        shown = [
            f"{block.locator('.opblock-summary-method').inner_text()} "
            f"{block.locator('.opblock-summary-path').get_attribute('data-path')}"
            for block in blocks.all()
        ]
        assert sorted(shown) == operations
        # What is inside one needs more of the script than the list does.
        blocks.first.locator(".opblock-summary-control").click()
        expect(blocks.first.locator(".responses-table").first).to_be_visible()
        expect(page).to_have_title(schema["info"]["title"])
        page.close()

    assert said == []
    assert len(asked) >= 5
    assert [url for url in asked if not url.startswith((f"{origin}/", "data:"))] == []

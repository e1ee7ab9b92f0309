"""The pages that document the APIs bring all their parts along."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from local import api
from local.lambda_runtime import run_function
from tests.functions.test_upload import api_gateway_event
from tests.servers import serve

PAGES = {
    "/api/v1/docs": "functions.upload.app.handler",
    "/api/v1/admin/docs": "functions.admin.app.handler",
}
#: What a page or a stylesheet makes a browser load.
_LOADED = re.compile(r"""(?:src|href)=["']([^"']+)|url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


def loaded_by(url: str, text: str) -> list[str]:
    """Give the addresses that ``text``, found at ``url``, makes a browser load."""
    found = ["".join(groups) for groups in _LOADED.findall(text)]
    return [urljoin(url, address) for address in found if not address.startswith("data:")]


@pytest.mark.parametrize("path", PAGES)
def test_no_part_of_a_page_comes_from_another_origin(path: str) -> None:
    with serve(api.app) as url:
        page = requests.get(url + path, timeout=10)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        addresses = loaded_by(page.url, page.text)
        assert len(addresses) == 3
        for address in addresses:
            assert address.startswith(f"{url}/")
            part = requests.get(address, timeout=10)
            assert (part.status_code, len(part.content) > 100) == (200, True)
            if part.headers["content-type"].startswith("text/css"):
                assert loaded_by(address, part.text) == []
            assert part.headers["x-content-type-options"] == "nosniff"
        assert requests.get(f"{url}{path}/passwd", timeout=10).status_code == 404

    # What the scripts might ask for by themselves, the browser refuses.
    rules = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert rules.pop("default-src") == "'none'"
    assert set(rules.values()) == {"'self'", "'none'", "data:"}


@pytest.mark.parametrize(("path", "handler"), PAGES.items())
def test_a_function_gives_the_same_page_and_parts(path: str, handler: str, tmp_path: Path) -> None:
    with serve(api.app) as url, run_function(handler, {}, log=tmp_path / "log") as function:
        page = requests.get(url + path, timeout=10)
        for address in [page.url, *loaded_by(page.url, page.text)]:
            local = requests.get(address, timeout=10)
            answer = function.invoke(api_gateway_event("GET", urlsplit(address).path))
            assert answer["statusCode"] == 200
            body = answer["body"].encode()
            assert (base64.b64decode(body) if answer["isBase64Encoded"] else body) == local.content
            for name in ("content-type", "content-security-policy"):
                assert answer["headers"][name] == local.headers[name]

"""docs/integrate.md, followed from its beginning to its end."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser

from local.client import PhotogateClient
from local.home import free_port
from local.samples import jpeg, photograph
from photogate.auth import issue_token
from photogate.domain import Role
from tests.docs import ROOT, block
from tests.e2e.running import RunningStack, clean_environment
from tests.e2e.test_docs import folder, typed
from tests.servers import eventually

__all__ = ["folder"]

PAGE = "docs/integrate.md"
API, BACKEND = "http://127.0.0.1:8000", "http://127.0.0.1:9000"


def file_of(holding: str) -> str:
    """Give the one file of the page that holds these words."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    (found,) = (
        f for f in re.findall(r"```(?:python|html)\n(.*?)^```", text, re.S | re.M) if holding in f
    )
    return str(found)


def told(url: str) -> Counter[str]:
    """Count what the backend was told of photos, by status."""
    photos = requests.get(f"{url}/photos", timeout=10).json()
    return Counter(photo["status"] for photo in photos)


@contextmanager
def running(command: str, url: str, **environment: str) -> Iterator[None]:
    """Run a server of the page until the block ends."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], env={**clean_environment(), **environment}
    )
    try:
        eventually(lambda: process.poll() is not None or answers(url), within_s=30)
        assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/token", timeout=10).ok
    except requests.ConnectionError:
        return False


def in_the_browser(browser: Browser, backend: str, folder: Path) -> Counter[str]:
    """Choose two photos on the page, which is not of the API's origin; count what it shows."""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{backend}/")
        page.set_input_files("input", [folder / "photo.jpg", folder / "cat.jpg"])
        said = page.get_by_role("status")
        said.get_by_text("2 photos were accepted for checking.").wait_for(timeout=30_000)

        def shown() -> Counter[str]:
            return Counter(line.split()[0] for line in page.locator("li").all_text_contents())

        eventually(lambda: shown().total() == 5 and not shown()["pending"], within_s=60)
        assert errors == []
        return shown()


@pytest.mark.slow
def test_the_page(start: Callable[..., RunningStack], folder: Path, browser: Browser) -> None:
    (folder / "cat.jpg").write_bytes(jpeg(photograph("chelsea.png")))
    backend = f"http://127.0.0.1:{free_port()}"
    exports, run = block(PAGE, holding="export JWT_SECRET").commands
    said = typed(f'{exports}\nprintf "%s\\n%s" "$JWT_SECRET" "$WEBHOOK_SECRET"')
    secrets = dict(zip(("JWT_SECRET", "WEBHOOK_SECRET"), said.split("\n"), strict=True))
    *settings, make, target = shlex.split(run.replace(BACKEND, backend).replace("\\\n", " "))
    assert (make, target) == ("make", "run")
    (tests,) = block(PAGE, holding="PHOTOGATE_TEST_MODE").commands
    settings += shlex.split(tests)[:-2]
    stack = start(**secrets, **dict(setting.split("=", 1) for setting in settings))
    here = {**secrets, "PHOTOGATE_HOME": str(stack.home)}

    def ours(text: str) -> str:
        return (
            text.replace(API, stack.url)
            .replace(BACKEND, backend)
            .replace("9000", backend.rpartition(":")[2])
        )

    for name, holding in (
        ("send.py", "send.py"),
        ("backend.py", '"""backend.py"""'),
        ("index.html", "doctype"),
    ):
        (folder / name).write_text(ours(file_of(holding)))
    (serve,) = block(PAGE, holding="uvicorn").commands
    with running(ours(serve), backend, **secrets):
        curl = block(PAGE, holding="field()")
        *hand_in, status = curl.commands
        assert '"photos_count":1' in typed(ours("\n".join(hand_in)), **here)
        look = ours("\n".join([*hand_in[:2], status]))
        eventually(lambda: '"moderation_status":"approved"' in typed(look, **here), within_s=30)

        send = f"{sys.executable} send.py photo.jpg cat.jpg"
        lines = typed(send, **secrets).splitlines()
        assert lines[0] == "approved None None"
        assert lines[1].startswith("rejected no_face ")
        expected = {"approved": 3, "rejected": 2}
        assert in_the_browser(browser, backend, folder) == expected
        eventually(lambda: told(backend) == expected, within_s=30)

        # The same stack is in test mode, in which nothing of the above is another.
        make_one, smoke = block(PAGE, holding="--as rejected:nsfw").commands
        typed(make_one, **here)
        sent = typed(f"{sys.executable} send.py rejected.jpg", **secrets)
        assert sent.startswith("rejected nsfw ")
        assert re.search(r"rejected .*nsfw", typed(smoke, **here))
        eventually(lambda: told(backend)["rejected"] == 4, within_s=30)
        assert requests.get(f"{stack.url}/api/v1/health", timeout=10).json()["test_mode"] is True
        assert "warning: test mode is on" in stack.said()
        token = issue_token("operator", secret=secrets["JWT_SECRET"], role=Role.ADMIN)
        stats = PhotogateClient(stack.url, token).call("GET", "/admin/queue-stats")
        last_day = stats["last_24h"]
        assert (last_day["total"], last_day["rejection_reasons"]) == (5, {"no_face": 2})
        assert "! settings test mode is on" in stack.run("doctor")
        watched = stack.run("watch", "--once", COLUMNS="200")
        assert "test mode" in watched
        assert "nsfw" not in watched

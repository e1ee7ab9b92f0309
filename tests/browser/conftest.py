"""Moderators at a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from photogate.adapters.postgres.pool import Pool
from photogate.auth import sign_in_link
from photogate.domain import Role
from tests.conftest import SECRET
from tests.functions.conftest import Installation, deliver, installation, make_copies
from tests.servers import eventually

__all__ = ["deliver", "installation"]

#: A busy machine may be slow; whoever waits for what never comes waits this long.
_PATIENCE_MS = 60_000
expect.set_options(timeout=_PATIENCE_MS)


class Watched:
    """A page whose console and requests are kept."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def assert_calm(self) -> None:
        """Nothing was said on the console, and nobody else was asked."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(f"{self.origin}/")] == []


_HAS_AN_ANSWER = """() => document.querySelector("#waiting").textContent ||
  !["", "Loading"].includes(document.querySelector("#state").textContent)"""


class Desk:
    """An installation with photos that wait for a person, and people who sign in."""

    def __init__(self, browser: Browser, installation: Installation, pool: Pool) -> None:
        self.installation = installation
        self.pool = pool
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def link(self, user: str = "ada", role: Role = Role.MODERATOR) -> str:
        """Make a sign-in link."""
        return sign_in_link(self.installation.url, user, secret=SECRET, role=role, name=user)

    def browser(self, **options: Any) -> BrowserContext:
        """Open another browser: no cookie is shared."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(_PATIENCE_MS)
        self._contexts.append(context)
        return context

    def close(self) -> None:
        """Close what was opened."""
        for context in self._contexts:
            context.close()

    def signed_in(self, user: str = "ada", role: Role = Role.MODERATOR, **options: Any) -> Watched:
        """Give the page as this person sees it after following a link."""
        watched = Watched(self.browser(**options).new_page(), self.installation.url)
        watched.page.goto(self.link(user, role))
        watched.page.keyboard.press("Enter")
        watched.page.wait_for_url("**/admin")
        # So that a test knows what the page holds.
        eventually(lambda: watched.page.evaluate(_HAS_AN_ANSWER))
        return watched

    def status(self, photo_id: str) -> tuple[str, str | None]:
        """Give what a photo is, and why."""
        row = self.pool.transaction(
            lambda s: s.row(
                "SELECT moderation_status AS status, moderation_reason AS reason FROM media"
                " WHERE CAST(id AS text) = :id",
                id=photo_id,
            )
        )
        assert row is not None
        return row["status"], row["reason"]


@pytest.fixture
def desk(
    browser: Browser,
    installation: Installation,
    deliver: Callable[..., list[str]],
    pool: Pool,
) -> Iterator[Desk]:
    """Where moderators sit."""
    desk = Desk(browser, installation, pool)
    yield desk
    desk.close()


@pytest.fixture
def waiting(
    desk: Desk, deliver: Callable[..., list[str]], portrait: bytes
) -> Callable[..., list[str]]:
    """Let so many photos be judged by a worker, have copies, and then wait for a person."""

    def add(count: int, user: str = "u-1") -> list[str]:
        for begin in range(0, count, 9):
            some = range(begin, min(count, begin + 9))
            desk.installation.hand_in(*[portrait + b"x" * (n + 1) for n in some], user=user)
        deliver()
        make_copies()
        rows = desk.pool.transaction(
            lambda s: s.rows(
                "UPDATE media SET moderation_status = 'review', moderation_scores ="
                " jsonb_set(moderation_scores, '{rule}', CAST(:rule AS jsonb))"
                " WHERE user_id = :u AND moderation_status = 'approved'"
                " RETURNING CAST(id AS text) AS id",
                u=user,
                rule='{"name": "blur_variance", "value": 20.5, "bound": 35}',
            )
        )
        assert len(rows) == count
        return [row["id"] for row in rows]

    return add

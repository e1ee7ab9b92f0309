"""Signing in at the page with an OpenID provider, over the real functions."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from starlette.responses import Response

from tests.functions.conftest import Installation, reset_bootstrap
from tests.oidc_provider import CLIENT, CLIENT_SECRET, Provider, running

SESSION = "/api/v1/admin/session"


@pytest.fixture
def provider(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that the installation asks."""
    with running() as provider:
        provider.redirects.add(f"{installation.url}/admin/sign-in/oidc")
        for name, value in {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_MODERATORS": "moderators, trust-and-safety",
            "OIDC_ADMINS": "leads",
        }.items():
            monkeypatch.setenv(name, value)
        reset_bootstrap()
        yield provider


class Browser(requests.Session):
    """Goes to the provider and comes back, as a browser does."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def leave(self) -> str:
        """Press the button; gives where it leads."""
        answer = self.post(f"{self.url}{SESSION}/oidc", timeout=10)
        answer.raise_for_status()
        where: str = answer.json()["url"]
        return where

    def agree(self, where: str) -> dict[str, str]:
        """Sign in at the provider; gives what comes back."""
        assert self.get(where, timeout=10).ok
        agreed = where.replace("/authorize?", "/agreed?")
        back = self.get(agreed, allow_redirects=False, timeout=10).headers["Location"]
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    def finish(self, answer: dict[str, str]) -> requests.Response:
        """Hand in what came back."""
        return self.post(f"{self.url}{SESSION}/oidc/finish", json=answer, timeout=20)

    def sign_in(self) -> requests.Response:
        """Do all of it."""
        return self.finish(self.agree(self.leave()))


@pytest.fixture
def browser(installation: Installation) -> Iterator[Browser]:
    """A browser."""
    with Browser(installation.url) as browser:
        yield browser


def test_an_account_signs_in_and_a_link_beside_it(browser: Browser, provider: Provider) -> None:
    offered = browser.get(f"{browser.url}{SESSION}/oidc", timeout=10).json()
    assert offered == {"name": urlsplit(provider.issuer).netloc}
    begun = browser.sign_in()
    assert begun.ok, begun.text
    session = begun.json()
    assert (session["user_id"], session["name"], session["role"]) == (
        "248289761001",
        "Ada",
        "moderator",
    )
    assert browser.get(f"{browser.url}{SESSION}", timeout=10).json() == session
    # The state is gone from the browser, and both cookies are for scripts of nobody.
    assert browser.cookies.get_dict().keys() == {"photogate_session"}
    assert "HttpOnly" in begun.headers["Set-Cookie"]
    browser.headers["X-Photogate-CSRF"] = session["csrf"]
    assert browser.delete(f"{browser.url}{SESSION}", timeout=10).status_code == 204
    assert browser.get(f"{browser.url}{SESSION}", timeout=10).status_code == 401


def test_an_answer_is_good_once_and_in_the_browser_that_asked(
    browser: Browser, provider: Provider
) -> None:
    where = browser.leave()
    cookies = browser.cookies.copy()
    answer = browser.agree(where)
    with Browser(browser.url) as stranger:
        refused = stranger.finish(answer)
        assert (refused.status_code, stranger.cookies.get_dict()) == (401, {})
        assert "began in another browser" in refused.json()["error"]
        # One who began himself has another state.
        stranger.leave()
        assert "another sign-in" in stranger.finish(answer).json()["error"]
    assert browser.finish(answer).ok
    browser.cookies = cookies
    replayed = browser.finish(answer)
    assert (replayed.status_code, "any more" in replayed.json()["error"]) == (401, True)
    # A fresh code does not bring the state back.
    again = browser.finish(answer | {"code": browser.agree(where)["code"]})
    assert (again.status_code, "finished already" in again.json()["error"]) == (401, True)


@pytest.mark.parametrize(
    ("groups", "status", "words"),
    [(["leads"], 200, "admin"), (["shop"], 403, "no role here"), (None, 403, "no role here")],
)
def test_groups_decide_who_comes_in(
    browser: Browser, provider: Provider, groups: list[str] | None, status: int, words: str
) -> None:
    provider.account["groups"] = groups
    answer = browser.sign_in()
    assert (answer.status_code, words in answer.text) == (status, True)
    assert ("photogate_session" in browser.cookies) == (status == 200)


def test_another_process_finishes_it(browser: Browser, provider: Provider) -> None:
    answer = browser.agree(browser.leave())
    reset_bootstrap()
    assert browser.finish(answer).ok


def test_a_cookie_of_ones_own_is_refused(browser: Browser, provider: Provider) -> None:
    answer = browser.agree(browser.leave())
    cookie = next(c for c in browser.cookies if c.name == "photogate_oidc")
    cookie.value = "eyJhbGciOiJub25lIn0.e30."
    assert "did not begin here" in browser.finish(answer).json()["error"]
    assert provider.asked.count("/token") == 0


def test_words_when_the_provider_is_down(browser: Browser, provider: Provider) -> None:
    provider.faults = {"/.well-known/openid-configuration": Response(status_code=503)}
    answer = browser.post(f"{browser.url}{SESSION}/oidc", timeout=20)
    assert answer.status_code == 503
    assert answer.json()["error"] == "the sign-in provider does not answer; try again in a moment"
    assert "Retry-After" in answer.headers
    # Links go on working.
    assert browser.get(f"{browser.url}{SESSION}/oidc", timeout=10).ok


def test_another_issuer_in_the_answer(browser: Browser, provider: Provider) -> None:
    answer = browser.agree(browser.leave())
    refused = browser.finish(answer | {"iss": "https://id.example"})
    assert (refused.status_code, "another provider" in refused.json()["error"]) == (401, True)


def test_it_begins_where_the_provider_sends_people_back_to(
    installation: Installation, provider: Provider
) -> None:
    elsewhere = installation.url.replace("127.0.0.1", "localhost")
    answer = requests.post(f"{elsewhere}{SESSION}/oidc", timeout=10)
    assert answer.status_code == 409
    assert answer.json()["error"] == f"sign in at {installation.url}/admin/sign-in"


@pytest.mark.parametrize("path", ["/oidc", "/oidc/finish"])
def test_another_site_begins_and_finishes_nothing(
    browser: Browser, provider: Provider, path: str
) -> None:
    answer = browser.post(
        f"{browser.url}{SESSION}{path}",
        json={"code": "c", "state": "s"},
        headers={"Sec-Fetch-Site": "cross-site"},
        timeout=10,
    )
    assert (answer.status_code, browser.cookies.get_dict()) == (403, {})


def test_without_a_provider_nothing_is_offered(installation: Installation) -> None:
    base = f"{installation.url}{SESSION}/oidc"
    assert requests.get(base, timeout=10).json() == {"name": None}
    assert requests.post(base, timeout=10).status_code == 404
    body = {"code": "c", "state": "s"}
    assert requests.post(f"{base}/finish", json=body, timeout=10).status_code == 404

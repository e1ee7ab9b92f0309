"""What the predecessor's clients, tokens and pages on other origins find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from local import api
from local.client import ApiRefused, PhotogateClient
from photogate.auth import TokenVerifier, issue_token
from photogate.domain import Role
from photogate.errors import ConfigError, Unauthenticated
from photogate.settings import ServeSettings, read
from tests.conftest import SECRET
from tests.functions.conftest import Installation, reset_bootstrap
from tests.servers import serve
from tests.unit.test_template import resources

ORIGIN = "https://app.example.com"


def test_the_status_has_the_predecessors_names_as_well(
    installation: Installation,
    deliver: Callable[[], list[str]],
    portrait: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATUS_SCORES", "1")
    reset_bootstrap()
    installation.hand_in(b"no photo at all", portrait)
    deliver()
    first, second = installation.client().photos()
    assert (first["status"], first["reason"]) == ("rejected", "unreadable")
    assert (first["display_order"], second["display_order"]) == (0, 1)
    for photo in (first, second):
        assert photo["media_type"] == "photo"
        assert photo["status"] == photo["moderation_status"]
        assert photo["uploaded_at"] == photo["created_at"]
        assert photo["scores"] == photo["moderation_scores"]


def test_photos_that_are_handed_in_again_are_told_as_they_are_now(
    installation: Installation, deliver: Callable[[], list[str]], portrait: bytes
) -> None:
    keys = installation.hand_in(portrait, b"no photo at all")
    body = {"photos": [{"file_key": key} for key in keys]}

    def again() -> dict[str, Any]:
        answer: dict[str, Any] = installation.client().call(
            "POST", "/users/media/upload-complete", json=body
        )
        return answer

    waiting = again()
    assert (waiting["status"], waiting["photos_count"]) == ("pending", 2)
    assert waiting["message"] == "2 photos were accepted for checking before; now: 2 pending."
    deliver()
    done = again()
    assert (done["status"], done["batch_id"]) == ("completed", waiting["batch_id"])
    assert done["message"].endswith("now: 1 approved, 1 rejected.")


def test_the_dashboard_takes_all_and_failed(
    installation: Installation, deliver: Callable[[], list[str]], portrait: bytes
) -> None:
    installation.hand_in(portrait, b"no photo at all")
    deliver()
    admin = installation.client("a", Role.ADMIN)

    def listed(status: str) -> dict[str, Any]:
        answer: dict[str, Any] = admin.call(
            "GET", "/admin/moderation/dashboard", params={"status": status}
        )
        assert answer["filters"] == {"status": status}
        return answer

    assert listed("all")["pagination"]["total"] == 2
    assert listed("failed")["media"] == []
    assert len(listed("rejected")["media"]) == 1
    with pytest.raises(ApiRefused, match="422"):
        listed("nonsense")


@pytest.mark.parametrize(
    ("count", "words"), [(10, "1 to 9 photos, not 10"), (0, "1 to 9 photos, not 0")]
)
def test_too_many_photos_are_told_in_words(
    installation: Installation, count: int, words: str
) -> None:
    body = {"photos": [{"file_key": f"k{n}"} for n in range(count)]}
    with pytest.raises(ApiRefused, match=words):
        installation.client().call("POST", "/users/media/upload-complete", json=body)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"photos": [}', "application/json", "the body is not JSON: "),
        (b"photos=1", "application/x-www-form-urlencoded", "the body must be a JSON object"),
        (b"", "application/json", "a body of JSON is required"),
    ],
)
def test_a_body_that_is_no_json_is_told_in_words(
    installation: Installation, body: bytes, kind: str, words: str
) -> None:
    answer = requests.post(
        f"{installation.url}/api/v1/users/media/upload-complete",
        data=body,
        headers={
            "Authorization": f"Bearer {issue_token('u-1', secret=SECRET)}",
            "Content-Type": kind,
        },
        timeout=10,
    )
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(words)


def test_the_limit_says_what_remains_and_when_the_next_is_free(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOS_PER_DAY", "3")
    reset_bootstrap()
    installation.hand_in(b"1", b"2")
    words = "at most 3 photos in 24 hours: 1 remains, and the next is free in (24 h 0|23 h 59) min"
    with pytest.raises(ApiRefused, match=words):
        installation.hand_in(b"3", b"4")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_address_alone_leads_to_the_documentation(
    installation: Installation, path: str
) -> None:
    answer = requests.get(installation.url + path, timeout=10)
    assert answer.status_code == 200
    assert answer.url == f"{installation.url}/api/v1/docs"


class TestTokens:
    def test_the_user_may_stand_in_another_claim(
        self, installation: Installation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JWT_USER_CLAIM", "user_id")
        reset_bootstrap()
        token = issue_token("u-7", secret=SECRET, user_claim="user_id")
        client = PhotogateClient(installation.url, token)
        assert "/u-7/" in client.call("GET", "/users/media/upload-url")["file_key"]
        client.close()
        with pytest.raises(ApiRefused, match='missing the "user_id" claim'):
            installation.client().call("GET", "/users/media/upload-url")

    def test_a_number_counts_as_its_digits(self) -> None:
        verifier = TokenVerifier(secret=SECRET, user_claim="user_id")
        token = issue_token(42, secret=SECRET, user_claim="user_id")  # type: ignore[arg-type]  # as others sign it
        assert verifier.verify(token).user_id == "42"
        with pytest.raises(Unauthenticated, match="user_id must have"):
            verifier.verify(issue_token(True, secret=SECRET, user_claim="user_id"))  # type: ignore[arg-type]


@pytest.fixture
def shared() -> Iterator[str]:
    """The API with one other origin."""
    with serve(api.with_cors(api.app, [ORIGIN])) as url:
        yield url


class TestOtherOrigins:
    def preflight(self, url: str, path: str, origin: str = ORIGIN) -> requests.Response:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        return requests.options(f"{url}{path}", headers=headers, timeout=10)

    def test_a_browser_may_call_from_one_that_is_named(self, shared: str) -> None:
        asked = self.preflight(shared, "/api/v1/users/media/upload-complete")
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "authorization" in asked.headers["Access-Control-Allow-Headers"].lower()
        got = requests.get(f"{shared}/api/v1/health", headers={"Origin": ORIGIN}, timeout=10)
        assert got.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "retry-after" in got.headers["Access-Control-Expose-Headers"]
        for answer in (asked, got):
            assert "Access-Control-Allow-Credentials" not in answer.headers

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "https://app.example.com.evil.example", "null"]
    )
    def test_from_no_other(self, shared: str, origin: str) -> None:
        asked = self.preflight(shared, "/api/v1/users/media/upload-complete", origin)
        assert "Access-Control-Allow-Origin" not in asked.headers

    @pytest.mark.parametrize("path", ["/admin", "/admin/sign-in", "/api/v1/admin/session"])
    def test_never_the_moderators_page(self, shared: str, path: str) -> None:
        assert "Access-Control-Allow-Origin" not in self.preflight(shared, path).headers
        got = requests.get(f"{shared}{path}", headers={"Origin": ORIGIN}, timeout=10)
        assert "Access-Control-Allow-Origin" not in got.headers

    @pytest.mark.parametrize(
        "value",
        ["app.example.com", "https://app.example.com/", "https://*.example.com", "https://"],
    )
    def test_what_is_no_origin_is_refused(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CORS_ORIGINS", value)
        with pytest.raises(ConfigError, match=r"CORS_ORIGINS: .* must be like https://app"):
            read(ServeSettings)

    def test_it_means_the_same_on_aws(self) -> None:
        (there,) = resources("AWS::Serverless::HttpApi").values()
        assert there["CorsConfiguration"] == {
            "AllowOrigins": {"Ref": "AllowedOrigins"},
            "AllowMethods": api.CORS["allow_methods"],
            "AllowHeaders": api.CORS["allow_headers"],
            "ExposeHeaders": api.CORS["expose_headers"],
            "MaxAge": api.CORS["max_age"],
        }


@pytest.mark.parametrize("value", ["foo", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused_before_anything_starts(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)
    with pytest.raises(ConfigError, match=r"PUBLIC_URL: must be like https://photos\.example\.com"):
        read(ServeSettings)

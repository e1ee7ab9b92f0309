"""The upload function over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import redis
import requests
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.moderate import app as moderate
from functions.upload.app import handler
from local.client import ApiRefused, ApiUnreachable, PhotogateClient, Upload
from photogate import __version__, bootstrap
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.auth import issue_token
from photogate.domain import Role
from tests.conftest import SECRET
from tests.functions.conftest import Installation, reset_bootstrap


def refused(call: Callable[[], Any]) -> ApiRefused:
    with pytest.raises(ApiRefused) as caught:
        call()
    return caught.value


def test_the_way_of_a_photo(
    installation: Installation, deliver: Callable[[], list[str]], portrait: bytes
) -> None:
    client = installation.client()
    ticket = client.call("GET", "/users/media/upload-url", params={"size": len(portrait)})
    assert ticket["method"] == "PUT"
    assert ticket["headers"]["Content-Type"] == "image/jpeg"
    assert ticket["file_key"].startswith("incoming/u-1/photo/")
    assert ticket["file_key"].endswith(ticket["file_name"])
    assert ticket["expires_in"] == 900
    put = requests.put(ticket["upload_url"], data=portrait, headers=ticket["headers"], timeout=10)
    assert put.status_code == 200

    body = {"photos": [{"file_key": ticket["file_key"], "media_type": "photo"}]}
    accepted = client.call("POST", "/users/media/upload-complete", json=body)
    assert (accepted["photos_count"], accepted["status"]) == (1, "pending")
    again = client.call("POST", "/users/media/upload-complete", json=body)
    assert again["batch_id"] == accepted["batch_id"]

    waiting = client.call("GET", "/users/media/moderation-status")
    assert waiting["summary"] == {
        "total_photos": 1,
        "approved": 0,
        "pending": 1,
        "rejected": 0,
        "failed": 0,
        "needs_more_photos": False,
        "pending_batches": 1,
        "last_moderated_at": None,
    }
    assert len(deliver()) == 1
    settled = client.call("GET", "/users/media/moderation-status")
    assert settled["summary"]["approved"] == 1
    assert settled["summary"]["pending_batches"] == 0
    (photo,) = settled["photos"]
    assert photo["moderation_status"] == "approved"
    assert photo["batch_id"] == accepted["batch_id"]
    shown = requests.get(photo["url"], timeout=10)
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert shown.content != portrait
    assert client.picture(f"/users/media/{photo['id']}/photo") == shown.content

    client.call("DELETE", f"/users/media/{photo['id']}")
    assert requests.get(photo["url"], timeout=10).status_code == 404
    assert client.photos() == []


def test_the_status_comes_in_pages_and_says_when_there_is_more(
    installation: Installation, deliver: Callable[[], list[str]], portrait: bytes
) -> None:
    keys = installation.hand_in(portrait, portrait + b"2", portrait + b"3")
    keys = installation.hand_in(portrait + b"4") + keys
    deliver()
    client = installation.client()

    def page(**params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = client.call("GET", "/users/media/moderation-status", params=params)
        assert answer["summary"]["total_photos"] == 4
        return answer

    first = page(limit=2)
    assert first["more"]
    second = page(limit=2, cursor=first["next_cursor"])
    assert (second["more"], second["next_cursor"]) == (False, None)
    assert [photo["file_key"] for photo in first["photos"] + second["photos"]] == keys
    assert [photo["file_key"] for photo in client.photos()] == keys
    assert "moderation_scores" not in first["photos"][0]
    for wrong in ({"limit": 101}, {"limit": 0}, {"cursor": "nonsense"}):
        with pytest.raises(ApiRefused, match="422"):
            page(**wrong)


def test_scores_are_told_where_the_installation_says_so(
    installation: Installation,
    deliver: Callable[[], list[str]],
    portrait: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATUS_SCORES", "1")
    reset_bootstrap()
    installation.hand_in(portrait)
    deliver()
    (photo,) = installation.client().photos()
    assert photo["moderation_scores"]["policy"] == "community@4"


def test_a_rejection_comes_with_words(
    installation: Installation, deliver: Callable[[], list[str]]
) -> None:
    installation.hand_in(b"no photo at all")
    deliver()
    (photo,) = installation.client().photos()
    assert (photo["moderation_status"], photo["moderation_reason"]) == ("rejected", "unreadable")
    assert "JPEG or PNG" in photo["message"]
    summary = installation.client().call("GET", "/users/media/moderation-status")["summary"]
    assert (summary["rejected"], summary["needs_more_photos"]) == (1, True)


def test_the_owner_is_told_in_the_own_language(
    installation: Installation, deliver: Callable[[], list[str]]
) -> None:
    installation.hand_in(b"no photo at all")
    deliver()
    url = f"{installation.url}/api/v1/users/media/moderation-status"

    def message(locale: str | None = None, **params: str) -> str:
        claims = {} if locale is None else {"locale": locale}
        token = jwt.encode({"sub": "u-1", "exp": time.time() + 60, **claims}, SECRET, "HS256")
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(url, headers=headers, params=params, timeout=30).json()
        return str(answer["photos"][0]["message"])

    assert "JPEG or PNG" in message() == message(locale="fr")
    assert "በJPEG ወይም በPNG" in message(locale="am-ET") == message(language="am")
    assert message(locale="am", language="en") == message()
    error = requests.get(
        url,
        headers={"Authorization": f"Bearer {issue_token('u-1', secret=SECRET)}"},
        params={"language": "a b"},
        timeout=30,
    )
    assert error.status_code == 422
    assert error.json()["error"] == "language: must be a tag of a language, such as am or en-GB"


def test_a_path_that_is_not_there_says_what_is(installation: Installation) -> None:
    def said(method: str, path: str) -> tuple[int, str]:
        answer = requests.request(method, f"{installation.url}{path}", timeout=30)
        return answer.status_code, answer.json()["error"]

    assert said("GET", "/api/v1/photos") == (
        404,
        "there is nothing at /api/v1/photos: /api/v1/docs lists what there is",
    )
    assert said("GET", "/api/v1/users/media/upload-complete") == (
        405,
        "/api/v1/users/media/upload-complete takes POST, not GET",
    )
    assert said("GET", "/api/v1/admin/nothing") == (
        404,
        "there is nothing at /api/v1/admin/nothing: /api/v1/admin/docs lists what there is",
    )


def test_how_to_object_is_told_where_it_is_set(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "objection" not in installation.client().call("GET", "/users/media/moderation-status")
    monkeypatch.setenv("OBJECTION_TEXT", "Write to help@example.org.")
    reset_bootstrap()

    status = installation.client().call("GET", "/users/media/moderation-status")

    assert status["objection"] == "Write to help@example.org."


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"media_type": "video"}, "media_type: Input should be 'photo'"),
        ({"content_type": "text/html"}, "use one of image/jpeg"),
        ({"content_type": "image/heic"}, "image/webp, image/avif, image/gif"),
        ({"size": 0}, "size: Input should be greater than or equal to 1"),
        ({"size": 10**12}, "size must lie between 1 and"),
        ({"size": "big"}, "size: Input should be a valid integer"),
    ],
)
def test_an_upload_that_cannot_be_is_refused_at_once(
    installation: Installation, params: dict[str, str], words: str
) -> None:
    error = refused(
        lambda: installation.client().call("GET", "/users/media/upload-url", params=params)
    )
    assert error.status == 422
    assert words in str(error)


def test_photos_reach_an_api_that_is_elsewhere_for_others(
    installation: Installation, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a proxy, whose name a container beside the API does not know."""
    public, photo = "http://photos.invalid/here", Upload(name="x", data=portrait)
    monkeypatch.setenv("PUBLIC_URL", public)
    reset_bootstrap()
    token = issue_token("u-1", secret=SECRET)
    with pytest.raises(ApiUnreachable, match=r"photos\.invalid"):
        PhotogateClient(installation.url, token).put(photo)
    client = PhotogateClient(f"{installation.url}/", token, public_url=public)
    assert client.complete([client.put(photo)])
    client.close()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "gif"])
def test_keys_carry_the_suffix_of_their_type(installation: Installation, suffix: str) -> None:
    kind = "image/jpeg" if suffix == "jpg" else f"image/{suffix}"
    ticket = installation.client().call(
        "GET", "/users/media/upload-url", params={"content_type": kind}
    )
    assert ticket["file_key"].endswith(f".{suffix}")


def test_heic_is_taken_where_it_is_said_to_be_read(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCEPT_HEIC", "true")
    bootstrap.reset()
    ticket = installation.client().call(
        "GET", "/users/media/upload-url", params={"content_type": "image/heic"}
    )
    assert ticket["file_key"].endswith(".heic")
    assert ticket["headers"]["Content-Type"] == "image/heic"


class TestComplete:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"photos": []},
            {"photos": [{"file_key": "x"}] * 10},
            {"photos": [{"file_key": "x", "media_type": "video"}]},
            {"photos": "x"},
            {"photos": [{"file_key": None}]},
            [],
        ],
    )
    def test_a_body_of_another_shape(self, installation: Installation, body: Any) -> None:
        error = refused(
            lambda: installation.client().call("POST", "/users/media/upload-complete", json=body)
        )
        assert error.status == 422

    def test_a_photo_that_is_no_object(self, installation: Installation) -> None:
        error = refused(
            lambda: installation.client().call(
                "POST", "/users/media/upload-complete", json={"photos": ["key"]}
            )
        )
        assert "photos.0: must be a JSON object" in str(error)

    def test_the_same_key_twice(self, installation: Installation, portrait: bytes) -> None:
        client = installation.client()
        key = client.put(Upload(name="x", data=portrait))
        error = refused(lambda: client.complete([key, key]))
        assert (error.status, "more than once" in str(error)) == (422, True)

    def test_a_key_that_was_never_given_out(self, installation: Installation) -> None:
        error = refused(lambda: installation.client().complete(["users/u-1/photo/made-up.jpg"]))
        assert error.status == 404

    def test_a_photo_that_was_not_uploaded_is_named(
        self, installation: Installation, portrait: bytes
    ) -> None:
        client = installation.client()
        there = client.put(Upload(name="x", data=portrait))
        missing = client.call("GET", "/users/media/upload-url")["file_key"]
        token = issue_token("u-1", secret=SECRET)
        answer = requests.post(
            f"{installation.url}/api/v1/users/media/upload-complete",
            json={"photos": [{"file_key": there}, {"file_key": missing}]},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert answer.status_code == 409
        assert answer.json()["file_keys"] == [missing]
        assert client.photos() == []

    def test_overlapping_batches(self, installation: Installation, portrait: bytes) -> None:
        client = installation.client()
        first, second = (client.put(Upload(name="x", data=portrait)) for _ in range(2))
        client.complete([first])
        assert refused(lambda: client.complete([first, second])).status == 409
        client.complete([second])

    def test_the_thirty_first_photo_of_a_day(
        self, installation: Installation, portrait: bytes
    ) -> None:
        client = installation.client()
        small = portrait[:2000]
        for size in (9, 9, 9, 3):
            client.complete([client.put(Upload(name="x", data=small)) for _ in range(size)])
        one_more = client.put(Upload(name="x", data=small))
        error = refused(lambda: client.complete([one_more]))
        assert error.status == 429
        assert 86_000 < error.retry_after_s <= 86_400
        answer = requests.post(
            f"{installation.url}/api/v1/users/media/upload-complete",
            headers={"Authorization": f"Bearer {issue_token('u-1', secret=SECRET)}"},
            json={"photos": [{"file_key": one_more}]},
            timeout=30,
        ).json()
        # For an app that says it in words of its own.
        assert (answer["limit"], answer["remaining"]) == (30, 0)
        assert len(client.photos()) == 30

    def test_a_dead_queue_costs_no_upload(
        self,
        installation: Installation,
        portrait: bytes,
        monkeypatch: pytest.MonkeyPatch,
        redis_client: redis.Redis,
    ) -> None:
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        reset_bootstrap()
        installation.hand_in(portrait)
        (photo,) = installation.client().photos()
        assert photo["moderation_status"] == "pending"
        assert redis_client.llen("photo_moderation_queue") == 0

    def test_a_dead_database_is_a_503_with_a_time(
        self, installation: Installation, portrait: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = installation.client()
        key = client.put(Upload(name="x", data=portrait))
        monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/d")
        reset_bootstrap()
        error = refused(lambda: client.complete([key]))
        assert (error.status, error.retry_after_s) == (503, 2)

    def test_storage_that_does_not_answer_costs_no_upload(
        self,
        installation: Installation,
        portrait: bytes,
        tmp_path: Path,
        deliver: Callable[[], list[str]],
    ) -> None:
        client = installation.client()
        key = client.put(Upload(name="x", data=portrait))
        photos = tmp_path / "photos"
        photos.rename(tmp_path / "away")
        photos.write_text("a file where the folder was")
        client.complete([key])
        deliver()
        assert client.photos()[0]["moderation_status"] == "pending"
        photos.unlink()
        (tmp_path / "away").rename(photos)

    def test_a_huge_body_is_refused_unread(self, installation: Installation) -> None:
        answer = requests.post(
            f"{installation.url}/api/v1/users/media/upload-complete",
            data=b" " * 70_000,
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
        assert answer.status_code == 413


class TestHealth:
    @pytest.mark.parametrize("path", ["/health?deep=1", "/admin/health"])
    def test_deep_health_names_what_is_down(
        self, installation: Installation, pool: Pool, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        def deep() -> tuple[int, dict[str, Any]]:
            token = issue_token("a", secret=SECRET, role=Role.ADMIN)
            answer = requests.get(
                f"{installation.url}/api/v1{path}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            )
            return answer.status_code, answer.json()

        status, report = deep()
        assert (status, report["status"], report["workers"]) == (503, "degraded", [])
        workers = report["parts"].pop("workers")
        assert workers["error"].startswith("no worker: ")
        assert (workers["ok"], all(part["ok"] for part in report["parts"].values())) == (
            False,
            True,
        )
        assert "gates" not in report
        PostgresWorkers(pool).announce(moderate.parts().introduce())
        status, report = deep()
        assert (status, report["policy"]) == (200, "community@4")
        assert report["parts"]["workers"] == {"ok": True, "alive": 1}
        assert {"name": "blurry", "on": True, "why": None} in report["gates"]
        (nsfw,) = (gate for gate in report["gates"] if gate["name"] == "nsfw")
        assert nsfw["on"] is True
        assert nsfw["why"].startswith("mobilenet_v2 and opennsfw look")
        assert report["parts"]["queue"]["append_only"] is True
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        reset_bootstrap()
        _, report = deep()
        assert report["parts"]["queue"]["ok"] is False
        assert "Redis does not answer" in report["parts"]["queue"]["error"]
        assert report["parts"]["database"]["ok"] is True


def api_gateway_event(method: str, path: str, token: str | None = None) -> dict[str, Any]:
    """Give an event of payload format 2.0, as an HTTP API sends it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "host": "api.example",
            **({"authorization": f"Bearer {token}"} if token else {}),
        },
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


class TestLambda:
    """The same app behind API Gateway."""

    def test_health(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PHOTOGATE_TEST_MODE", "really")
        answer = handler(api_gateway_event("GET", "/api/v1/health"), LambdaContext())
        assert json.loads(answer["body"])["test_mode"] is True
        monkeypatch.delenv("PHOTOGATE_TEST_MODE")
        answer = handler(api_gateway_event("GET", "/api/v1/health"), LambdaContext())
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"]) == {"status": "ok", "version": __version__}

    def test_problems_come_as_text(self, installation: Installation) -> None:
        event = api_gateway_event("GET", "/api/v1/users/media/moderation-status")
        answer = handler(event, LambdaContext())
        assert (answer["statusCode"], answer["isBase64Encoded"]) == (401, False)
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert json.loads(answer["body"])["error"] == "a bearer token is required"

    def test_a_token_is_read(self, installation: Installation) -> None:
        token = issue_token("u-1", secret=SECRET)
        event = api_gateway_event("GET", "/api/v1/users/media/moderation-status", token)
        answer = handler(event, LambdaContext())
        assert json.loads(answer["body"])["summary"]["total_photos"] == 0

"""Answers that go wrong: what is repeated, how often, and which exception comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from photogate_client import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Photogate,
    PhotogateAdmin,
    PhotogateError,
    RateLimited,
    Refused,
    StillPending,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from tests.scripted import Answered, ScriptedServer

ACCEPTED = Answered(body={"batch_id": "b", "photos_count": 1, "message": "1 photo was accepted"})
NOBODY = "http://127.0.0.1:1"
TEAPOT = 418


@pytest.fixture
def photogate(server: ScriptedServer) -> Iterator[Photogate]:
    with Photogate(server.url, "the token", retry_within_s=10) as client:
        yield client


def problem(status: int, error: str = "no", **more: object) -> Answered:
    return Answered(status=status, body={"status": status, "error": error, **more})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (TEAPOT, Refused),
        (500, Unavailable),
    ],
)
def test_a_refusal_is_raised_at_once(
    server: ScriptedServer, photogate: Photogate, status: int, kind: type[Refused]
) -> None:
    server.in_turn(problem(status, "some photos", file_keys=["a", "b"]))
    with pytest.raises(kind, match=f"{status}: some photos") as refused:
        photogate.complete(["a"])
    assert type(refused.value) is kind
    assert refused.value.message == "some photos"
    assert len(server.asked) == 1
    if isinstance(refused.value, Conflict):
        assert refused.value.file_keys == ("a", "b")


@pytest.mark.parametrize(
    "passing",
    [problem(503), problem(502), problem(504), problem(429), Answered(hangs_up=True)],
    ids=["503", "502", "504", "429", "no answer"],
)
def test_what_passes_is_repeated_with_the_same_request(
    server: ScriptedServer, photogate: Photogate, passing: Answered
) -> None:
    server.in_turn(passing, passing, ACCEPTED)
    assert photogate.complete(["a"]).batch_id == "b"
    assert len(server.asked) == 3
    assert {asked.body for asked in server.asked} == {
        json.dumps({"photos": [{"file_key": "a", "media_type": "photo"}]}).encode()
    }


def test_retry_after_is_waited_for_if_there_is_time(
    server: ScriptedServer, photogate: Photogate
) -> None:
    soon = Answered(status=503, body={"error": "no"}, headers={"Retry-After": "1"})
    day = Answered(status=429, body={"error": "at most 30"}, headers={"Retry-After": "86400"})
    server.in_turn(soon, day)
    with pytest.raises(RateLimited, match="429: at most 30") as refused:
        photogate.complete(["a"])
    assert refused.value.retry_after_s == 86400
    assert len(server.asked) == 2


def test_retry_after_may_be_a_date(server: ScriptedServer, photogate: Photogate) -> None:
    def refused(when: str) -> float | None:
        headers = {"Retry-After": when}
        server.in_turn(Answered(status=429, headers=headers))
        with pytest.raises(RateLimited) as caught:
            photogate.upload_url()
        return caught.value.retry_after_s

    assert (refused("Fri, 31 Dec 2100 23:59:59 GMT") or 0) > 1e9


def test_nothing_is_repeated_without_time(server: ScriptedServer) -> None:
    server.always(problem(503))
    with Photogate(server.url, "t", retry_within_s=0) as once, pytest.raises(Unavailable):
        once.upload_url()
    assert len(server.asked) == 1


def test_what_must_not_come_twice_is_not_repeated(server: ScriptedServer) -> None:
    server.always(Answered(hangs_up=True))
    with PhotogateAdmin(server.url, "t") as admin, pytest.raises(Unreachable):
        admin.desk().undo("p")
    assert len(server.asked) == 1


def test_a_delete_whose_answer_was_lost_is_done(
    server: ScriptedServer, photogate: Photogate
) -> None:
    server.in_turn(Answered(hangs_up=True), problem(404))
    photogate.delete_photo("p/1?")
    assert [asked.path for asked in server.asked] == ["/api/v1/users/media/p%2F1%3F"] * 2
    server.in_turn(problem(404))
    with pytest.raises(NotFound):
        photogate.delete_photo("p")


def test_the_token_is_asked_for_each_time(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    tokens = iter(["first", "second"])
    server.always(ACCEPTED)
    with Photogate(server.url, lambda: next(tokens)) as photogate:
        photogate.complete(["a"])
        photogate.complete(["a"])
        photogate.put(f"{server.url}/signed", b"jpeg", {"Content-Type": "image/jpeg"})
    assert [asked.headers.get("Authorization") for asked in server.asked] == [
        "Bearer first",
        "Bearer second",
        None,
    ]


@pytest.mark.parametrize(
    "odd",
    [
        Answered(body=b"<html>"),
        Answered(body={"batch_id": 7}),
        Answered(body=None),
    ],
    ids=["HTML", "another shape", "nothing"],
)
def test_an_answer_that_does_not_fit(
    server: ScriptedServer, photogate: Photogate, odd: Answered
) -> None:
    server.in_turn(odd)
    with pytest.raises(UnexpectedAnswer, match="POST /users/media/upload-complete"):
        photogate.complete(["a"])


def test_members_of_a_later_version_are_no_error(
    server: ScriptedServer, photogate: Photogate
) -> None:
    server.in_turn(Answered(body={**ACCEPTED.body, "new": 1}))
    assert photogate.complete(["a"]).photos_count == 1


def test_a_redirect_is_not_followed(server: ScriptedServer, photogate: Photogate) -> None:
    server.in_turn(Answered(status=307, headers={"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(Refused, match="307"):
        photogate.complete(["a"])
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.upload_url(),
        lambda client: client.put(f"{NOBODY}/signed", b"x", {}),
    ],
    ids=["the API", "the store"],
)
def test_nobody_is_there(call: Callable[[Photogate], None]) -> None:
    with closing(Photogate(NOBODY, "t", retry_within_s=0)) as client:
        with pytest.raises(Unreachable, match="no answer") as caught:
            call(client)
        assert isinstance(caught.value, PhotogateError)


def test_waiting_ends(server: ScriptedServer, photogate: Photogate) -> None:
    summary = dict.fromkeys(
        ("total_photos", "approved", "pending", "rejected", "failed", "pending_batches"), 0
    )
    page = {
        "summary": {**summary, "needs_more_photos": False, "last_moderated_at": None},
        "photos": [],
        "more": False,
        "next_cursor": None,
    }
    server.always(Answered(body=page))
    with pytest.raises(StillPending, match="1 of the photos") as caught:
        photogate.wait(["a"], within_s=0.3)
    assert caught.value.file_keys == ("a",)
    assert isinstance(caught.value, TimeoutError)

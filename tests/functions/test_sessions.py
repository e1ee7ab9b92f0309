"""Sessions of people with a browser: how long they last, and how an admin ends them."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import pytest
import requests

from photogate.adapters.postgres.pool import Pool
from photogate.auth import sign_in_link
from photogate.domain import Role
from photogate.domain.reviews import SESSION_IDLE_S, SESSION_S
from tests.conftest import SECRET
from tests.functions.conftest import Installation
from tests.functions.test_routes import signed_in

BASE = "/api/v1/admin"


def status(session: requests.Session, installation: Installation) -> int:
    return session.get(f"{installation.url}{BASE}/session", timeout=10).status_code


@pytest.mark.parametrize(("kind", "most_s"), [("idle", SESSION_IDLE_S), ("old", SESSION_S)])
def test_it_ends_after_idle_hours_and_after_a_day(
    installation: Installation, pool: Pool, kind: str, most_s: int
) -> None:
    def back(seconds: int) -> None:
        pool.transaction(
            lambda s: s.rows(
                "UPDATE sessions SET seen_at = now() - make_interval(secs => :idle),"
                " created_at = now() - make_interval(secs => :old)",
                **{"idle": 0, "old": 0, kind: seconds},
            )
        )

    with signed_in(installation, Role.MODERATOR) as session:
        back(most_s - 60)
        assert status(session, installation) == 200
        back(most_s + 60)
        assert status(session, installation) == 401
        # Going on after the end wakes nothing up.
        assert status(session, installation) == 401


def test_an_admin_sees_who_is_signed_in_and_ends_it(installation: Installation) -> None:
    where = f"{installation.url}{BASE}/sessions"
    with (
        signed_in(installation, Role.MODERATOR) as first,
        signed_in(installation, Role.MODERATOR) as second,
        signed_in(installation, Role.ADMIN) as admin,
    ):
        listed = admin.get(where, timeout=10).json()["sessions"]
        assert sorted(s["user_id"] for s in listed) == ["a-admin", "a-moderator", "a-moderator"]
        told = admin.get(where, timeout=10).text
        for session in (first, second, admin):
            assert session.cookies["photogate_session"] not in told
        one = next(s["id"] for s in listed if s["user_id"] == "a-moderator")
        assert admin.delete(f"{where}/{one}", timeout=10).status_code == 204
        assert admin.delete(f"{where}/{one}", timeout=10).status_code == 404
        assert sorted([status(first, installation), status(second, installation)]) == [200, 401]
        ended = admin.delete(where, params={"user_id": "a-moderator"}, timeout=10)
        assert ended.json() == {"ended": 1}
        assert [status(s, installation) for s in (first, second, admin)] == [401, 401, 200]


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({"Host": "localhost:8000"}, False),
        ({"Host": "127.0.0.1:8000"}, False),
        ({"Host": "[::1]:8000"}, False),
        ({"Host": "LOCALHOST"}, False),
        ({"Host": "photos.example"}, True),
        ({"Host": "localhost.photos.example"}, True),
        ({"Host": "127.0.0.1.photos.example"}, True),
        ({"Host": "10.0.0.7:8000"}, True),
        # A proxy that names this server in its own words.
        ({"Host": "127.0.0.1:8000", "Origin": "https://photos.example"}, True),
        ({"Host": "127.0.0.1:8000", "Origin": "null"}, True),
        ({"Host": "127.0.0.1:8000", "Origin": "http://[::1"}, True),
        ({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}, False),
    ],
)
def test_the_cookie_needs_tls_except_on_this_machine(
    installation: Installation, headers: dict[str, str], secure: bool
) -> None:
    link = sign_in_link("http://x", "ada", secret=SECRET, role=Role.MODERATOR)
    begun = requests.post(
        f"{installation.url}{BASE}/session",
        json={"token": link.partition("#")[2]},
        headers=headers,
        timeout=10,
    )
    cookie: Any = SimpleCookie(begun.headers["Set-Cookie"])["photogate_session"]
    assert bool(cookie["secure"]) is secure
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, "strict", "")
    assert (cookie["path"], cookie["max-age"]) == (BASE, str(SESSION_S))

"""Every route, called by everybody who may come."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from photogate.auth import issue_token, sign_in_link
from photogate.domain import Role
from tests.conftest import SECRET
from tests.functions.conftest import Installation

CALLERS = ("no token", "bad token", "other user", "user", "viewer", "moderator", "admin")

UPLOAD_URL = "GET /users/media/upload-url"
COMPLETE = "POST /users/media/upload-complete"
STATUS = "GET /users/media/moderation-status"
DELETE = "DELETE /users/media/{id}"

#: What each of ``CALLERS`` gets. The photo belongs to "user"; "viewer", "moderator" and
#: "admin" are users like any other on the users' routes.
EXPECTED: dict[str, tuple[int, ...]] = {
    "GET /health": (200, 200, 200, 200, 200, 200, 200),
    "GET /health?deep=1": (401, 401, 403, 403, 403, 403, 503),  # no worker lives here
    "GET /admin/health": (401, 401, 403, 403, 403, 403, 503),
    UPLOAD_URL: (401, 401, 200, 200, 200, 200, 200),
    COMPLETE: (401, 401, 404, 200, 404, 404, 404),
    STATUS: (401, 401, 200, 200, 200, 200, 200),
    # Nobody has looked at it yet, so there is no picture.
    "GET /users/media/{id}/photo": (401, 401, 404, 404, 404, 404, 404),
    "GET /admin/moderation/{id}/photo": (401, 401, 403, 403, 403, 404, 404),
    DELETE: (401, 401, 404, 204, 404, 404, 404),
    "GET /admin/queue-stats": (401, 401, 403, 403, 403, 403, 200),
    "GET /admin/accuracy": (401, 401, 403, 403, 200, 200, 200),
    "GET /admin/moderation/dashboard": (401, 401, 403, 403, 200, 200, 200),
    "GET /admin/moderation/pending": (401, 401, 403, 403, 403, 200, 200),
    "PUT /admin/moderation/{id}/approve": (401, 401, 403, 403, 403, 200, 200),
    "PUT /admin/moderation/{id}/reject": (401, 401, 403, 403, 403, 200, 200),
    "PUT /admin/moderation/rejected/{id}/verify": (401, 401, 403, 403, 403, 409, 409),
    "DELETE /admin/moderation/rejected/{id}": (401, 401, 403, 403, 403, 409, 409),
    # No token of these is one of a sign-in link, and a token has no session to end.
    "POST /admin/session": (401, 401, 401, 401, 401, 401, 401),
    "GET /admin/session": (401, 401, 403, 403, 200, 200, 200),
    "DELETE /admin/session": (401, 401, 403, 403, 401, 401, 401),
    # Before anybody is known. No provider is set here.
    "GET /admin/session/oidc": (200, 200, 200, 200, 200, 200, 200),
    "POST /admin/session/oidc": (404, 404, 404, 404, 404, 404, 404),
    "POST /admin/session/oidc/finish": (404, 404, 404, 404, 404, 404, 404),
    "GET /admin/sessions": (401, 401, 403, 403, 403, 403, 200),
    "DELETE /admin/sessions": (401, 401, 403, 403, 403, 403, 422),
    "DELETE /admin/sessions/{id}": (401, 401, 403, 403, 403, 403, 404),
    "POST /admin/review/take": (401, 401, 403, 403, 403, 200, 200),
    "POST /admin/review/release": (401, 401, 403, 403, 403, 204, 204),
    "GET /admin/review/{id}/owner": (401, 401, 403, 403, 403, 200, 200),
    # There is no picture, nobody has seen it, and it does not wait for a person.
    "POST /admin/review/{id}/reveal": (401, 401, 403, 403, 403, 409, 409),
    "POST /admin/review/{id}/approve": (401, 401, 403, 403, 403, 409, 409),
    "POST /admin/review/{id}/reject": (401, 401, 403, 403, 403, 409, 409),
    "POST /admin/review/{id}/undo": (401, 401, 403, 403, 403, 409, 409),
    "POST /admin/review/{id}/escalate": (401, 401, 403, 403, 403, 409, 409),
    "POST /admin/review/{id}/redecide": (401, 401, 403, 403, 403, 409, 409),
    "GET /admin/review/policy": (401, 401, 403, 403, 403, 200, 200),
    "GET /admin/review/lately": (401, 401, 403, 403, 403, 200, 200),
    "POST /admin/review/{id}/hold": (401, 401, 403, 403, 403, 204, 204),
    "GET /admin/review/withheld": (401, 401, 403, 403, 403, 200, 200),
    "GET /admin/holds": (401, 401, 403, 403, 403, 403, 200),
    # Nothing is held.
    "POST /admin/holds/{id}/report": (401, 401, 403, 403, 403, 403, 404),
    "POST /admin/holds/{id}/lift": (401, 401, 403, 403, 403, 403, 409),
    "GET /admin/rejected": (401, 401, 403, 403, 403, 200, 200),
    "GET /admin/user?user_id=u-1": (401, 401, 403, 403, 403, 200, 200),
    "POST /admin/bulk": (401, 401, 403, 403, 403, 200, 200),
    "GET /admin/history": (401, 401, 403, 403, 200, 200, 200),
    "GET /admin/history.csv": (401, 401, 403, 403, 403, 403, 200),
    "GET /admin/notices": (401, 401, 403, 403, 403, 403, 200),
    "POST /admin/notices/resend": (401, 401, 403, 403, 403, 403, 200),
    "POST /admin/notices/test": (401, 401, 403, 403, 403, 403, 200),
    "PUT /admin/notices/telegram": (401, 401, 403, 403, 403, 403, 204),
    "GET /admin": (200, 200, 200, 200, 200, 200, 200),
}
#: With a cookie, whose session may lack the token that tells our pages from others.
SESSIONS = ("foreign csrf", "viewer", "moderator", "admin")
BY_SESSION: dict[str, tuple[int, ...]] = {
    "GET /admin/health": (403, 403, 403, 503),
    "GET /admin/queue-stats": (403, 403, 403, 200),
    "GET /admin/accuracy": (200, 200, 200, 200),
    "GET /admin/moderation/dashboard": (200, 200, 200, 200),
    "GET /admin/moderation/pending": (200, 403, 200, 200),
    "GET /admin/moderation/{id}/photo": (404, 403, 404, 404),
    # As through the page: only what was revealed.
    "PUT /admin/moderation/{id}/approve": (403, 403, 409, 409),
    "PUT /admin/moderation/{id}/reject": (403, 403, 200, 200),
    "PUT /admin/moderation/rejected/{id}/verify": (403, 403, 409, 409),
    "DELETE /admin/moderation/rejected/{id}": (403, 403, 409, 409),
    "GET /admin/session": (200, 200, 200, 200),
    "GET /admin/sessions": (403, 403, 403, 200),
    "DELETE /admin/sessions": (403, 403, 403, 422),
    "DELETE /admin/sessions/{id}": (403, 403, 403, 404),
    "POST /admin/review/take": (403, 403, 200, 200),
    "POST /admin/review/release": (403, 403, 204, 204),
    "GET /admin/review/{id}/owner": (200, 403, 200, 200),
    "POST /admin/review/{id}/reveal": (403, 403, 409, 409),
    "POST /admin/review/{id}/approve": (403, 403, 409, 409),
    "POST /admin/review/{id}/reject": (403, 403, 409, 409),
    "POST /admin/review/{id}/undo": (403, 403, 409, 409),
    "POST /admin/review/{id}/escalate": (403, 403, 409, 409),
    "POST /admin/review/{id}/redecide": (403, 403, 409, 409),
    "GET /admin/review/policy": (200, 403, 200, 200),
    "GET /admin/review/lately": (200, 403, 200, 200),
    "POST /admin/review/{id}/hold": (403, 403, 204, 204),
    "GET /admin/review/withheld": (200, 403, 200, 200),
    "GET /admin/holds": (403, 403, 403, 200),
    "POST /admin/holds/{id}/report": (403, 403, 403, 404),
    "POST /admin/holds/{id}/lift": (403, 403, 403, 409),
    "GET /admin/rejected": (200, 403, 200, 200),
    "GET /admin/user?user_id=u-1": (200, 403, 200, 200),
    "POST /admin/bulk": (403, 403, 200, 200),
    "GET /admin/history": (200, 200, 200, 200),
    "GET /admin/history.csv": (403, 403, 403, 200),
    "GET /admin/notices": (403, 403, 403, 200),
    "POST /admin/notices/resend": (403, 403, 403, 200),
    "POST /admin/notices/test": (403, 403, 403, 200),
    "PUT /admin/notices/telegram": (403, 403, 403, 204),
    "DELETE /admin/session": (403, 204, 204, 204),
    # A session says nothing on the users' routes.
    "GET /users/media/moderation-status": (401, 401, 401, 401),
}


def headers(caller: str) -> dict[str, str]:
    if caller == "no token":
        return {}
    if caller == "bad token":
        return {"Authorization": f"Bearer {issue_token('u-1', secret=SECRET + 'x')}"}
    user = {"other user": "u-2", "user": "u-1"}.get(caller, caller)
    role = Role(caller) if caller in list(Role) else Role.USER
    return {"Authorization": f"Bearer {issue_token(user, secret=SECRET, role=role)}"}


@pytest.mark.parametrize("route", EXPECTED)
def test_everybody_gets_what_they_should(
    route: str, installation: Installation, portrait: bytes
) -> None:
    (key,) = installation.hand_in(portrait)
    photo_id = installation.client().photos()[0]["id"]
    method, path = route.split(" ")
    body: dict[str, Any] | None = None
    if route == COMPLETE:
        body = {"photos": [{"file_key": key, "media_type": "photo"}]}
    else:
        body = body_of(route)
    got = []
    for caller in CALLERS:
        answer = requests.request(
            method,
            address(installation, path, photo_id),
            headers=headers(caller),
            json=body,
            timeout=10,
        )
        got.append(answer.status_code)
        report = answer.status_code == 503 and "health" in route
        if answer.status_code >= 400 and not report:
            assert answer.headers["Content-Type"] == "application/problem+json"
            problem = answer.json()
            assert problem["status"] == answer.status_code
            assert problem["error"] == problem["detail"] != ""
            assert (answer.status_code == 401) == ("WWW-Authenticate" in answer.headers)
    assert dict(zip(CALLERS, got, strict=True)) == dict(zip(CALLERS, EXPECTED[route], strict=True))


def address(installation: Installation, path: str, photo_id: str) -> str:
    base = "" if path == "/admin" else "/api/v1"
    return f"{installation.url}{base}{path.format(id=photo_id)}"


def body_of(route: str) -> dict[str, Any] | None:
    tab = {"tab": "tab-00000001"}
    if route == "POST /admin/session":
        return {"token": "no.such.link"}
    if route == "POST /admin/bulk":
        # It does not matter whether it is there: each photo has its own result.
        return {"action": "reject", "photos": [{"photo_id": "1"}], "reason": "nsfw", **tab}
    if route == "POST /admin/session/oidc/finish":
        return {"code": "code", "state": "state"}
    if route == "POST /admin/notices/resend":
        return {"ids": ["nobody.1"]}
    if route == "POST /admin/notices/test":
        return {"channel": "log"}
    if route == "PUT /admin/notices/telegram":
        return {"user_id": "u-1", "chat_id": 4711}
    if route.endswith("/reject"):
        return {"reason": "nsfw", **tab}
    if route.endswith("/redecide"):
        return {"status": "rejected", "reason": "nsfw"}
    if route.startswith("POST /admin/holds"):
        return {"words": "reported"}
    return tab if route.startswith("POST /admin/review") else None


def signed_in(installation: Installation, role: Role) -> requests.Session:
    """Follow a link as a browser does, and give the cookie and the token that goes with it."""
    link = sign_in_link(installation.url, f"a-{role}", secret=SECRET, role=role)
    session = requests.Session()
    base = f"{installation.url}/api/v1/admin/session"
    begun = session.post(base, json={"token": link.partition("#")[2]}, timeout=10)
    assert begun.json()["role"] == role
    session.headers["X-Photogate-CSRF"] = begun.json()["csrf"]
    assert session.get(base, timeout=10).json() == begun.json()
    return session


@pytest.mark.parametrize("route", BY_SESSION)
def test_everybody_who_is_signed_in_gets_what_they_should(
    route: str, installation: Installation, portrait: bytes
) -> None:
    installation.hand_in(portrait)
    photo_id = installation.client().photos()[0]["id"]
    method, path = route.split(" ")
    got = []
    for caller in SESSIONS:
        foreign = caller == "foreign csrf"
        with signed_in(installation, Role.MODERATOR if foreign else Role(caller)) as session:
            if foreign:
                with signed_in(installation, Role.MODERATOR) as other:
                    session.headers["X-Photogate-CSRF"] = other.headers["X-Photogate-CSRF"]
            where = address(installation, path, photo_id)
            answer = session.request(method, where, json=body_of(route), timeout=10)
            got.append(answer.status_code)
            if route == "DELETE /admin/session" and not foreign:
                gone = session.get(f"{installation.url}/api/v1/admin/session", timeout=10)
                assert gone.status_code == 401
    expected = BY_SESSION[route]
    assert dict(zip(SESSIONS, got, strict=True)) == dict(zip(SESSIONS, expected, strict=True))


def test_every_route_of_the_admin_api_is_tried_with_a_session(installation: Installation) -> None:
    admins = {route for route in EXPECTED if " /admin/" in route}
    nobody_yet = {r for r in admins if r == "POST /admin/session" or "/session/oidc" in r}
    assert admins - nobody_yet == {r for r in BY_SESSION if " /admin/" in r}


@pytest.mark.parametrize("claims", [{}, {"jti": "x" * 20}, {"use": "sign-in"}])
def test_a_token_is_no_link_and_a_link_is_no_token(
    installation: Installation, claims: dict[str, Any]
) -> None:
    token = issue_token("a", secret=SECRET, role=Role.ADMIN, **claims)
    base = f"{installation.url}/api/v1/admin"
    assert requests.post(f"{base}/session", json={"token": token}, timeout=10).status_code == 401
    link = sign_in_link(installation.url, "a", secret=SECRET, role=Role.ADMIN).partition("#")[2]
    bearer = {"Authorization": f"Bearer {link}"}
    assert requests.get(f"{base}/queue-stats", headers=bearer, timeout=10).status_code == 401


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_signs_nobody_in(installation: Installation, site: str) -> None:
    link = sign_in_link(installation.url, "a", secret=SECRET, role=Role.ADMIN).partition("#")[2]
    base = f"{installation.url}/api/v1/admin/session"
    foreign = {"Sec-Fetch-Site": site}
    answer = requests.post(base, json={"token": link}, headers=foreign, timeout=10)
    assert (answer.status_code, answer.cookies.get_dict()) == (403, {})
    # It was not used up.
    assert requests.post(base, json={"token": link}, timeout=10).ok


@pytest.mark.parametrize("prefix", ["", "/admin"])
def test_no_route_is_left_out(prefix: str, installation: Installation) -> None:
    schema = requests.get(f"{installation.url}/api/v1{prefix}/openapi.json", timeout=10).json()
    documented = {
        f"{method.upper()} {re.sub('{[a-z]+_id}', '{id}', path.removeprefix('/api/v1'))}"
        for path, operations in schema["paths"].items()
        for method in operations
    }
    assert documented <= {route.partition("?")[0] for route in EXPECTED}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/admin/nothing", 404),
        ("POST", "/api/v1/health", 405),
        ("GET", "/nothing", 404),
    ],
)
def test_unknown_paths_are_problems_too(
    installation: Installation, method: str, path: str, status: int
) -> None:
    answer = requests.request(method, installation.url + path, timeout=10)
    assert answer.status_code == status
    assert answer.json()["error"]

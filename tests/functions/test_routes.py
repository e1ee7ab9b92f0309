"""Every route, called by everybody who may come."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from photogate.auth import issue_token
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
    "GET /admin/moderation/dashboard": (401, 401, 403, 403, 200, 200, 200),
    "GET /admin/moderation/pending": (401, 401, 403, 403, 403, 200, 200),
    "PUT /admin/moderation/{id}/approve": (401, 401, 403, 403, 403, 200, 200),
    "PUT /admin/moderation/{id}/reject": (401, 401, 403, 403, 403, 200, 200),
    "PUT /admin/moderation/rejected/{id}/verify": (401, 401, 403, 403, 403, 409, 409),
    "DELETE /admin/moderation/rejected/{id}": (401, 401, 403, 403, 403, 409, 409),
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
    elif route.endswith("/reject"):
        body = {"reason": "nsfw"}
    got = []
    for caller in CALLERS:
        answer = requests.request(
            method,
            f"{installation.url}/api/v1{path.format(id=photo_id)}",
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


@pytest.mark.parametrize("prefix", ["", "/admin"])
def test_no_route_is_left_out(prefix: str, installation: Installation) -> None:
    schema = requests.get(f"{installation.url}/api/v1{prefix}/openapi.json", timeout=10).json()
    documented = {
        f"{method.upper()} {path.removeprefix('/api/v1').replace('{media_id}', '{id}')}"
        for path, operations in schema["paths"].items()
        for method in operations
    }
    assert documented <= set(EXPECTED)


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

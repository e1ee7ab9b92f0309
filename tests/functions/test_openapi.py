"""The OpenAPI documents say what is true: each route is called with what they allow and forbid.

Cases are made by schemathesis out of the documents, the same ones each time.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from functions.admin.app import app as admin_app
from functions.upload.app import app as upload_app
from photogate.auth import issue_token
from photogate.domain import Role
from tests.conftest import SECRET
from tests.functions.conftest import Installation

ROLES = (Role.USER, Role.MODERATOR, Role.ADMIN)
#: For each route. Where it needs a token, each is called without and with a wrong one as well.
CASES = 20
APPS = {"/api/v1/openapi.json": upload_app, "/api/v1/admin/openapi.json": admin_app}
ROUTES = [
    (document, method.upper(), path)
    for document, app in APPS.items()
    for path, operations in app.openapi()["paths"].items()
    for method in operations
]
bounded = settings(
    max_examples=CASES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(("document", "method", "path"), ROUTES)
def test_a_route_keeps_to_its_document(
    document: str,
    method: str,
    path: str,
    installation: Installation,
    portrait: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACCEPT_HEIC", "true")
    keys = installation.hand_in(portrait)
    ids = [photo["id"] for photo in installation.client().photos()]
    app: FastAPI = APPS[document]
    api = schemathesis.openapi.from_asgi(document, app)
    # A query that nobody reads is no mistake.
    api.config.generation.allow_extra_parameters = False
    operation = api[path][method]
    tokens = {role: issue_token("u-1", secret=SECRET, role=role) for role in ROLES}

    @given(data=st.data(), role=st.sampled_from(ROLES))
    @bounded
    def call(data: st.DataObject, role: Role) -> None:
        mode = data.draw(st.sampled_from(GenerationMode))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE:
            _mend(case)
            if data.draw(st.booleans()):
                _known(case, ids, keys)
        case.call_and_validate(
            headers={"Authorization": f"Bearer {tokens[role]}"},
            # No document has a 500; and without a worker an installation is not well (503).
            excluded_checks=[not_a_server_error],
        )

    call()


def _mend(case: Any) -> None:
    """Take out what no document can forbid: made-up cursors, and one key in several photos."""
    if case.query:
        case.query.pop("cursor", None)
    if case.operation.path.endswith("/upload-complete"):
        case.body["photos"] = list({p["file_key"]: p for p in case.body["photos"]}.values())


def _known(case: Any, ids: list[str], keys: list[str]) -> None:
    """Name what is there, instead of what only looks like it."""
    if case.path_parameters:
        case.path_parameters["media_id"] = ids[0]
    if case.operation.path.endswith("/upload-complete"):
        case.body["photos"] = [{"file_key": keys[0]}]

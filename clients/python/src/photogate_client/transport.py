"""Requests and answers: tokens, repetitions, and errors as exceptions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import requests
from pydantic import BaseModel, ValidationError

from .errors import NotFound, Refused, UnexpectedAnswer, Unreachable, kind_of

Model = TypeVar("Model", bound=BaseModel)

#: A token, or what gives one: it is called for each request, so that it may give a fresh one.
Token = str | Callable[[], str]

#: What passes: too many requests, and what gateways and the API answer when a part is away.
_PASSING = frozenset({429, 502, 503, 504})
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 8.0


class Transport:
    """Makes one caller's requests. Keeps connections open; one thread at a time.

    Args:
        url: of the installation, e.g. ``https://photos.example.org``.
        token: bearer token (JWT), or what gives one.
        timeout_s: for connecting, and between two parts of an answer.
        retry_within_s: how long to go on repeating a request that may be repeated, counted from
            its beginning, when it gets no answer, 429, 502, 503 or 504; 0: never repeat.
    """

    def __init__(
        self, url: str, token: Token, *, timeout_s: float = 30.0, retry_within_s: float = 30.0
    ) -> None:
        self._url = f"{url.rstrip('/')}/api/v1"
        self._token = token
        self._timeout_s = timeout_s
        self._retry_within_s = retry_within_s
        self._api = requests.Session()
        # Signed URLs carry their own permission: the token never goes there.
        self._storage = requests.Session()

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._api.close()
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, model: type[Model], path: str, **params: str | int | bool | None) -> Model:
        """Read something."""
        return self.call(model, "GET", path, params=params)

    def call(
        self,
        model: type[Model],
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool | None] | None = None,
        json: Any = None,
        repeatable: bool = True,
    ) -> Model:
        """Make a request and read its answer.

        Args:
            path: below ``/api/v1``.
            params: query; what is None is left out.
            repeatable: whether the same request may reach the API twice.

        Raises:
            Refused: the answer is an error.
            Unreachable: there is no answer.
            UnexpectedAnswer: it does not fit ``model``.
        """
        answer = self.answer(method, path, params=params, json=json, repeatable=repeatable)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise UnexpectedAnswer(f"{method} {path}: {error}") from error

    def answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool | None] | None = None,
        json: Any = None,
        repeatable: bool = True,
    ) -> requests.Response:
        """Make a request; its answer is of 200 to 299. Raises as ``call`` does."""
        return self._repeated(
            lambda: self._once(method, path, params=params, json=json),
            repeatable=repeatable,
            what=f"{method} {path}",
        )

    def delete(self, path: str) -> None:
        """Delete something. That it is gone after an attempt without an answer is success."""
        attempts = 0

        def once() -> requests.Response:
            nonlocal attempts
            attempts += 1
            return self._once("DELETE", path)

        try:
            self._repeated(once, repeatable=True, what=f"DELETE {path}")
        except NotFound:
            if attempts == 1:
                raise

    def put(self, url: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Put bytes at a signed URL; the same bytes may be put there again."""

        def once() -> requests.Response:
            return self._storage.put(
                url,
                data=data,
                headers=dict(headers),
                auth=lambda request: request,
                timeout=self._timeout_s,
                allow_redirects=False,
            )

        self._repeated(once, repeatable=True, what="the upload")

    def _once(self, method: str, path: str, **body: Any) -> requests.Response:
        return self._api.request(
            method,
            self._url + path,
            auth=self._authorize,
            timeout=self._timeout_s,
            allow_redirects=False,
            **body,
        )

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, because a header would give way to a ~/.netrc that names the host.
        token = self._token if isinstance(self._token, str) else self._token()
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _repeated(
        self, once: Callable[[], requests.Response], *, repeatable: bool, what: str
    ) -> requests.Response:
        until = time.monotonic() + (self._retry_within_s if repeatable else 0.0)
        longest = _FIRST_WAIT_S
        while True:
            error: Refused | Unreachable
            least_s = 0.0
            try:
                answer = once()
            except requests.RequestException as cause:
                error = Unreachable(f"{what}: no answer: {type(cause).__name__}")
                error.__cause__ = cause
            else:
                if answer.ok and not answer.is_redirect:
                    return answer
                error = _refused(answer)
                least_s = error.retry_after_s or 0.0
                if answer.status_code not in _PASSING:
                    raise error
            # Full jitter: callers that failed together do not come back together.
            wait_s = max(least_s, random.uniform(0, longest))  # noqa: S311 - no secret
            longest = min(longest * 2, _LONGEST_WAIT_S)
            if time.monotonic() + wait_s > until:
                raise error
            time.sleep(wait_s)


def _refused(answer: requests.Response) -> Refused:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    problem = body if isinstance(body, dict) else {}
    message = problem.get("error") or problem.get("detail") or answer.reason or "no reason given"
    return kind_of(answer.status_code)(
        answer.status_code,
        str(message),
        retry_after_s=_seconds(answer.headers.get("Retry-After")),
        correlation_id=answer.headers.get("X-Correlation-Id"),
        problem=problem,
    )


def _seconds(retry_after: str | None) -> float | None:
    """Read a ``Retry-After``: seconds or a date (RFC 9110, 10.2.3); None for anything else."""
    if retry_after is None:
        return None
    if retry_after.isdigit():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())

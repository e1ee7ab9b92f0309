"""What may go wrong, as a tree:

PhotogateError
├── Unreachable           no answer; whether the request took effect is not known
├── UnexpectedAnswer      what came is not of this version of the API, or not of this API
├── StillPending          ``wait`` ran out of time
├── InvalidWebhook        a request that Photogate did not sign, or an old one
└── Refused               the API or the photo store answered with an error
    ├── InvalidRequest    400, 413, 422
    ├── Unauthenticated   401
    ├── Forbidden         403
    ├── NotFound          404
    ├── Conflict          409
    ├── RateLimited       429
    └── Unavailable       500 and above
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class PhotogateError(Exception):
    """Any error of this package."""


class Unreachable(PhotogateError):
    """There was no answer: repeat what may be repeated."""


class UnexpectedAnswer(PhotogateError):
    """What came does not fit the API's document."""


class StillPending(PhotogateError, TimeoutError):
    """Some photos have no verdict yet.

    Attributes:
        file_keys: those photos.
    """

    def __init__(self, file_keys: Sequence[str]) -> None:
        super().__init__(f"{len(file_keys)} of the photos have no verdict yet")
        self.file_keys = tuple(file_keys)


class InvalidWebhook(PhotogateError):
    """The request is not to be trusted: answer 400 and do nothing."""


class Refused(PhotogateError):
    """An error was answered.

    Attributes:
        status: HTTP status.
        message: one line, in English, for developers.
        retry_after_s: seconds after which a repetition may succeed; None when the answer does
            not say.
        correlation_id: under which the installation's log has more; None when unknown.
        problem: the whole RFC 9457 body; empty when there was none.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after_s: float | None = None,
        correlation_id: str | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s
        self.correlation_id = correlation_id
        self.problem = dict(problem or {})


class InvalidRequest(Refused):
    """The request was understood and is wrong: repeating it does not help."""


class Unauthenticated(Refused):
    """The token is missing, wrong or out of date."""


class Forbidden(Refused):
    """The token's role does not suffice; or a signed URL is out of date."""


class NotFound(Refused):
    """There is no such thing, or it is somebody else's."""


class Conflict(Refused):
    """It contradicts what is there."""

    @property
    def file_keys(self) -> tuple[str, ...]:
        """The photos that it is about; empty when it is about something else."""
        return tuple(str(key) for key in self.problem.get("file_keys", ()))


class RateLimited(Refused):
    """A limit is reached: try again after ``retry_after_s``."""

    @property
    def remaining(self) -> int | None:
        """How many photos can be handed in now; None when another limit is meant."""
        remaining = self.problem.get("remaining")
        return remaining if isinstance(remaining, int) else None


class Unavailable(Refused):
    """A fault of the installation: try again after ``retry_after_s``."""


_BY_STATUS: Mapping[int, type[Refused]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
}


def kind_of(status: int) -> type[Refused]:
    """Give the error for an HTTP status from 400 upwards."""
    return _BY_STATUS.get(status, Unavailable if status >= 500 else Refused)

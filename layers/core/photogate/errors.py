"""Every error that Photogate raises on purpose, split by what the caller does.

::

    PhotogateError
    ├── RetryableError            a fault of ours: try again later
    │   ├── DatabaseUnavailable
    │   ├── QueueUnavailable
    │   ├── StorageUnavailable
    │   ├── FacesUnavailable
    │   ├── ProviderUnavailable   the identity provider does not answer
    │   ├── PartUnavailable       a part is down: what needs it waits until it is back
    │   ├── OutOfTime             this process has no time left for it
    │   ├── BatchBusy             another worker holds the batch
    │   └── MigrationUnfinished   its time was up; the next run goes on
    ├── PermanentError            trying again gives the same answer
    │   ├── InvalidRequest
    │   ├── Unauthenticated
    │   ├── Forbidden
    │   ├── NotFound
    │   ├── Conflict
    │   ├── RateLimited
    │   ├── PhotoRefused          the photo itself: unreadable, too large
    │   ├── PhotoChanged          other bytes than those that were accepted
    │   ├── CannotCopy            no copy of the photo can be made
    │   │   └── CopyDiffers       … that shows what was judged
    │   └── DecoderFailed         the photo ends or exhausts whatever decodes it
    └── ConfigError               this installation is set up wrongly

An SDK's exceptions are translated in its adapter, once, with ``raise … from``.
``photogate.http`` alone knows which HTTP status each of these becomes.
"""

from typing import ClassVar

from photogate.redaction import redact


class PhotogateError(Exception):
    """Root of the tree. ``str(error)`` is one line that a person can act on, without secrets."""

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message))


class RetryableError(PhotogateError):
    """A fault of ours or of a service that we use; the same call may work later.

    ``str(error)`` may name hosts and what to mend: it is for logs and operators. Clients are
    told ``outside``.
    """

    outside: ClassVar = "a part of this installation does not answer; try again"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        #: Seconds after which a retry makes sense; None leaves it to the caller.
        self.retry_after_s = retry_after_s


class DatabaseUnavailable(RetryableError):
    """PostgreSQL could not be reached, or the connection broke mid-way."""

    outside = "the database does not answer; try again"


class QueueUnavailable(RetryableError):
    """The queue could not be reached."""

    outside = "the queue does not answer; try again"


class StorageUnavailable(RetryableError):
    """The photo store did not answer, or answered with a fault."""

    outside = "the photo store does not answer; try again"


class FacesUnavailable(RetryableError):
    """The face service did not answer, or not sensibly. Never to be read as "no face"."""

    outside = "the face service does not answer; try again"


class ProviderUnavailable(RetryableError):
    """The identity provider did not answer, or not sensibly; nobody is signed in for it."""

    outside = "the sign-in provider does not answer; try again in a moment"


class PartUnavailable(RetryableError):
    """The store or the face service is down, so the call failed or was not made.

    No job is to blame: it waits, uncounted, until the part is back.
    """

    def __init__(self, message: str, *, part: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        #: ``storage`` or ``faces``.
        self.part = part


class OutOfTime(RetryableError):
    """This process ends too soon; the next delivery has its whole time."""


class BatchBusy(RetryableError):
    """Another delivery of the same batch is being worked on right now."""


class MigrationUnfinished(RetryableError):
    """The time of this run was up. What it finished stays; the next run goes on from there."""

    #: The files that this run finished.
    applied: tuple[str, ...] = ()


class PermanentError(PhotogateError):
    """The same call will fail again; the caller has to change something."""


class InvalidRequest(PermanentError):
    """A well-formed request that asks for something impossible."""


class Unauthenticated(PermanentError):
    """No token, or one that is not valid."""


class Forbidden(PermanentError):
    """A valid token whose role is too low."""


class NotFound(PermanentError):
    """It does not exist, or not for this caller."""


class Conflict(PermanentError):
    """The request contradicts the current state."""

    def __init__(self, message: str, *, file_keys: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        #: The object keys that stand in the way.
        self.file_keys = file_keys


class RateLimited(PermanentError):
    """The caller used up an allowance."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: int,
        limit: int | None = None,
        remaining: int | None = None,
    ) -> None:
        super().__init__(message)
        #: Whole seconds until the same request can succeed.
        self.retry_after_s = retry_after_s
        #: Photos that are allowed in 24 hours; None when it is about something else.
        self.limit = limit
        #: How many of these can be handed in now.
        self.remaining = remaining


class PhotoRefused(PermanentError):
    """The photo cannot be looked at, for a reason that lies in its bytes."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        #: A ``photogate.domain.Reason`` value: ``unreadable`` or ``too_large``.
        self.reason = reason


class PhotoChanged(PermanentError):
    """The stored object is not the one that upload-complete accepted."""


class CannotCopy(PermanentError):
    """No copy of the photo can be made: nothing of it is shown, and a person has to look."""


class CopyDiffers(CannotCopy):
    """A copy of the photo would show something else than what was judged."""


class DecoderFailed(PermanentError):
    """The photo crashed its decoder, hung it, or took more memory than it may.

    It says nothing about what the photo shows: a person has to look.
    """


class ConfigError(PhotogateError):
    """A setting, file or part of the installation is wrong; says which and the way out."""

"""An analyzer and a maker of copies that answer what a test says, by the photo's bytes."""

from __future__ import annotations

from collections.abc import Callable

from photogate.domain import NEVER, Copy, Deadline, Signals
from photogate.domain.measures import read
from photogate.domain.object_keys import COPIES
from photogate.errors import OutOfTime


class ScriptedAnalyzer:
    """The ``PhotoAnalyzer`` port.

    Args:
        default: what is measured on every photo that ``answers`` does not name.
        answers: what is measured, raised or done instead, by the photo's bytes as text.
    """

    model_digest = "none"

    def __init__(
        self, default: Signals, **answers: Signals | BaseException | Callable[[], Signals]
    ) -> None:
        self.measures = frozenset(read(default))
        self.answers = answers
        #: Of the last photo.
        self.deadline = NEVER
        #: What was looked at, in this order.
        self.seen: list[str] = []
        self._default = default

    def analyze(self, data: bytes, deadline: Deadline = NEVER) -> list[Signals]:
        """See ``photogate.ports.vision.PhotoAnalyzer.analyze``; what it was given is kept."""
        self.deadline = deadline
        name = data.decode()
        self.seen.append(name)
        answer = self.answers.get(name, self._default)
        if isinstance(answer, BaseException):
            raise answer
        return [answer() if callable(answer) else answer]


class ScriptedCopies:
    """The ``CopyMaker`` port: a copy holds the photo's bytes after its name.

    Args:
        answers: what is raised or done instead, by the photo's bytes as text.
    """

    def __init__(self, **answers: BaseException | Callable[[], None]) -> None:
        self.answers = answers

    def copies(self, data: bytes, deadline: Deadline = NEVER) -> list[Copy]:
        """See ``photogate.ports.vision.CopyMaker.copies``."""
        if deadline.passed:
            raise OutOfTime("there is no time left to make copies")
        answer = self.answers.get(data.decode())
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            answer()
        return [
            Copy(name=name, format="JPEG", data=f"{name} of ".encode() + data) for name in COPIES
        ]

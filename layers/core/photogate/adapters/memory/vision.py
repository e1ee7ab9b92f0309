"""An analyzer that answers what a test says, by the photo's bytes."""

from __future__ import annotations

from collections.abc import Callable

from photogate.domain import Signals
from photogate.domain.measures import read


class ScriptedAnalyzer:
    """The ``PhotoAnalyzer`` port.

    Args:
        default: what is measured on every photo that ``answers`` does not name.
        answers: what is measured, raised or done instead, by the photo's bytes as text.
    """

    model_digest = "none"
    panel = "a script looks alone"

    def __init__(
        self, default: Signals, **answers: Signals | BaseException | Callable[[], Signals]
    ) -> None:
        self.measures = frozenset(read(default))
        self.answers = answers
        #: What was looked at, in this order.
        self.seen: list[str] = []
        self._default = default

    def analyze(self, data: bytes) -> list[Signals]:
        """See ``photogate.ports.vision.PhotoAnalyzer.analyze``."""
        name = data.decode()
        self.seen.append(name)
        answer = self.answers.get(name, self._default)
        if isinstance(answer, BaseException):
            raise answer
        return [answer() if callable(answer) else answer]

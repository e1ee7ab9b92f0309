"""Decodes untrusted bytes in child processes, so that a bad photo does not harm other photos.

A child has limits of memory and time, no settings or secrets in its environment, and no
open file but its channel; where the kernel can do it, it may open no file and no connection, start
no process and send no signal (``confinement``). It is used for many photos and replaced when it
dies. Pixels come back through memory that both map. A child that is broken into can still lie
about the photo that did it and those after it.

Children are fresh interpreters, never forks: this process has onnxruntime's threads. They
end when their input closes, so that nothing is left of them when this process is killed.
"""

from __future__ import annotations

import threading
import weakref

from photogate.domain import NEVER, Deadline
from photogate.errors import DecoderFailed, OutOfTime, PhotoRefused, RetryableError
from photogate_vision.decoding.child import DecoderChild, Died
from photogate_vision.decoding.decode import Picture

#: The worst that decoding accepts takes 3 s on an idle core; others may want it, too.
TIME_LIMIT_S = 20.0
#: The worst that decoding accepts, a WebP of 25 megapixels, takes 400 MB (November 2026).
MEMORY_BYTES = 450_000_000


class Sandbox:
    """Decodes as ``decode.decode`` does, in child processes.

    May be used from several threads at once; there are as many children as photos were
    ever decoded at the same time. They end with this object, or with this process.

    Args:
        decoder: what the children run, as ``module:function``.
        shower: what they run for ``show``.
        time_limit_s: for one photo.
        memory_bytes: of a child's own.
    """

    def __init__(
        self,
        *,
        decoder: str = "photogate_vision.decoding.decode:decode",
        shower: str = "photogate_vision.copies.showing:to_show",
        time_limit_s: float = TIME_LIMIT_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._decoder = decoder
        self._shower = shower
        self._time_limit_s = time_limit_s
        self._memory_bytes = memory_bytes
        self._idle = [self._start()]
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, _end_all, self._idle)

    def confinement(self) -> dict[str, str]:
        """Give what ``confinement.confine`` told of a child, as soon as it has started.

        Raises:
            RetryableError: no child can be started.
        """
        child = self._take(fresh=False)
        try:
            return child.confinement()
        finally:
            self._put_back(child)

    def decode(self, data: bytes, deadline: Deadline = NEVER) -> list[Picture]:
        """See ``decode.decode``.

        A photo whose child dies is given to one more, fresh child: what killed the first
        may have come from outside. One that took too long is not.

        Raises:
            PhotoRefused: as there.
            RetryableError: as there; or no child can be started.
            DecoderFailed: it crashed or hung its decoder, or took too much memory.
            OutOfTime: the deadline passed, before its own limit of time.
        """
        return self._ask(data, deadline, show_px=0)

    def show(
        self, data: bytes, longer_side_px: int, deadline: Deadline = NEVER
    ) -> tuple[Picture, Picture]:
        """See ``copies.showing.to_show``: the picture that was judged, and the one to be shown.

        Raises:
            As ``decode``.
        """
        judged, shown = self._ask(data, deadline, show_px=longer_side_px)
        return judged, shown

    def _ask(self, data: bytes, deadline: Deadline, *, show_px: int) -> list[Picture]:
        why = ""
        for fresh in (False, True):
            child = self._take(fresh=fresh)
            try:
                pictures = child.decode(data, deadline, show_px)
            except Died as error:
                child.end()
                why = str(error)
                if error.hung:
                    break
            except OutOfTime:
                child.end()
                raise
            except (PhotoRefused, RetryableError):
                self._put_back(child)
                raise
            except BaseException:
                child.end()
                raise
            else:
                self._put_back(child)
                return pictures
        raise DecoderFailed(f"its decoder {why}")

    def _take(self, *, fresh: bool) -> DecoderChild:
        with self._lock:
            while self._idle and not fresh:
                child = self._idle.pop()
                if child.lives:
                    return child
                child.end()
        return self._start()

    def _put_back(self, child: DecoderChild) -> None:
        with self._lock:
            self._idle.append(child)

    def _start(self) -> DecoderChild:
        return DecoderChild(self._decoder, self._shower, self._time_limit_s, self._memory_bytes)


def _end_all(children: list[DecoderChild]) -> None:
    while children:
        children.pop().end()

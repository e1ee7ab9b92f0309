"""The outer side of a decoder process: starts it, hands photos in, reads pictures out."""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
from typing import Any

from PIL import Image

from photogate.domain import NEVER, Deadline, Reason
from photogate.errors import OutOfTime, PhotoRefused, RetryableError
from photogate_vision.decoding.decode import Picture
from photogate_vision.decoding.frames import MAX_PIXELS_OF_ALL_LOOKS
from photogate_vision.decoding.process import REQUEST
from photogate_vision.decoding.shaping import BACKGROUNDS

_START_LIMIT_S = 30.0
#: The child ends itself at its time limit; the parent kills it this much later.
_GRACE_S = 2.0
#: Most that its pixels take; pages that were never written take nothing.
_SHARED_BYTES = MAX_PIXELS_OF_ALL_LOOKS * 4
#: Shared memory that was written is given back beyond this much.
_KEPT_BYTES = 8_000_000
_LONGEST_REPLY = 100_000
_NO_SENSE = "gave an answer that makes no sense"
#: All that it gets of our environment: where libraries are, not what they should do.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
#: glibc otherwise gives a photo's memory back after each photo, and getting it again costs
#: 1,300 page faults or 3 ms for 2 megapixels (November 2026). What is larger is given back at once:
#: Pillow takes a large picture in blocks of nearly 16 MB (``Arena.block_size``), and those of the
#: last photo would lie beside all that the next one takes.
_KEEPS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "16777216", "MALLOC_MMAP_THRESHOLD_": "15728640"}
_CODE = """
import sys
sys.path[:] = {path!r}
from photogate_vision.decoding.process import main
main({decoder!r}, {shower!r}, {fd}, {time_limit_s}, {memory_bytes})
"""


class Died(Exception):
    """The child is of no more use; ``str(error)`` tells why, after "its decoder"."""

    def __init__(self, why: str, *, hung: bool = False) -> None:
        super().__init__(why)
        #: It took too long.
        self.hung = hung


class DecoderChild:
    """One process. For one thread at a time; ``end`` it.

    Args:
        decoder: what it runs, as ``module:function``.
        shower: the same, for pictures that are to be shown.
        time_limit_s: for one photo.
        memory_bytes: of its own.

    Raises:
        RetryableError: it cannot be started.
    """

    def __init__(self, decoder: str, shower: str, time_limit_s: float, memory_bytes: int) -> None:
        self._time_limit_s = time_limit_s
        self._confinement: dict[str, str] | None = None
        self._fd = _shared_file()
        self._memory = mmap.mmap(self._fd, _SHARED_BYTES)
        code = _CODE.format(
            path=[path for path in sys.path if path],
            decoder=decoder,
            shower=shower,
            fd=self._fd,
            time_limit_s=time_limit_s,
            memory_bytes=memory_bytes,
        )
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own code, no shell
                # Isolated and without `site`: the path is given, and nothing else runs.
                [sys.executable, "-I", "-S", "-B", "-c", code],
                env=_KEEPS_MEMORY | {n: os.environ[n] for n in _ENVIRONMENT if n in os.environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pass_fds=(self._fd,),
                # Ctrl-C is for the parent.
                start_new_session=True,
            )
        except OSError as error:
            self._release()
            raise RetryableError(f"no decoder can be started: {error}") from error
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._requests, self._replies = self._process.stdin, self._process.stdout

    @property
    def lives(self) -> bool:
        """Whether it runs still."""
        return self._process.poll() is None

    def confinement(self, deadline: Deadline = NEVER) -> dict[str, str]:
        """Give what ``confinement.confine`` told, as soon as it has started.

        Raises:
            RetryableError: it cannot be started.
        """
        if self._confinement is None:
            try:
                self._confinement = self._reply(_START_LIMIT_S, deadline)["ready"]
            except Died as error:
                raise RetryableError(f"no decoder can be started: it {error}") from error
        return self._confinement

    def decode(self, data: bytes, deadline: Deadline, show_px: int = 0) -> list[Picture]:
        """Hand in a photo and wait for its pictures; see ``decode.decode``.

        Args:
            data: a photo.
            deadline: for the whole of it.
            show_px: when it is not 0, those of ``copies.showing.to_show`` at this longer side.

        Raises:
            Died: there is no answer; ``end`` it.
            OutOfTime: there is none by the deadline; ``end`` it.
        """
        self.confinement(deadline)
        if len(data) > len(self._memory):
            self._memory.close()
            os.ftruncate(self._fd, len(data))
            self._memory = mmap.mmap(self._fd, len(data))
        self._memory[: len(data)] = data
        try:
            self._requests.write(REQUEST.pack(len(data), len(self._memory), show_px))
        except BrokenPipeError:
            raise self._died() from None
        reply = self._reply(self._time_limit_s + _GRACE_S, deadline)
        pictures: list[Picture] = []
        try:
            pictures = self._pictures(reply)
        finally:
            pixels = sum(4 * picture.image.width * picture.image.height for picture in pictures)
            self._give_back(max(len(data), pixels))
        return pictures

    def end(self) -> None:
        """End it, whatever it does, and free what is shared; may be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._release()

    def _give_back(self, used_bytes: int) -> None:
        """Give up shared memory that a large photo left behind; only Linux can."""
        if used_bytes > _KEPT_BYTES and hasattr(mmap, "MADV_REMOVE"):
            self._memory.madvise(mmap.MADV_REMOVE)

    def _release(self) -> None:
        self._memory.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _reply(self, within_s: float, deadline: Deadline) -> dict[str, Any]:
        """Read one line of JSON, however slowly its bytes come."""
        ends = deadline.within(within_s)
        line = b""
        replies, poll = self._replies.fileno(), select.poll()
        poll.register(replies, select.POLLIN)
        while not line.endswith(b"\n"):
            if ends.passed or not poll.poll(ends.left_s() * 1000):
                if deadline.passed:
                    raise OutOfTime("ran out of time while it was decoded")
                raise self._late()
            part = os.read(replies, _LONGEST_REPLY)
            if not part or len(line) > _LONGEST_REPLY:
                raise self._died()
            line += part
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise Died(_NO_SENSE)
        return reply

    def _died(self) -> Died:
        """Tell how it ended."""
        self._process.kill()
        code = self._process.wait()
        if code == -signal.SIGALRM:
            return self._late()
        if code < 0:
            return Died(f"crashed ({signal.Signals(-code).name})")
        return Died(f"crashed (exit {code})")

    def _late(self) -> Died:
        return Died(f"took longer than {self._time_limit_s:g} s", hung=True)

    def _pictures(self, reply: dict[str, Any]) -> list[Picture]:
        """Read an answer and check all of it: a child that was broken into may write anything."""
        if "died" in reply:
            raise Died(str(reply["died"]))
        if "fault" in reply:
            raise RetryableError(str(reply["fault"]))
        try:
            if "refused" in reply:
                reason = Reason(reply["reason"]).value
                raise PhotoRefused(str(reply["refused"]), reason=reason)
            return [self._picture(**described) for described in reply["pictures"]]
        except (KeyError, TypeError, ValueError) as error:
            raise Died(_NO_SENSE) from error

    def _picture(
        self,
        *,
        at: int,
        size: list[int],
        width: int,
        height: int,
        format: str,  # noqa: A002 - as in Picture
        frames: int,
        frame: int | None,
        background: str | None,
        frames_unseen: int,
        colour_unsure: bool,
        gain_map: bool,
    ) -> Picture:
        across, down = size
        numbers = (across, down, width, height, frames)
        counts = (0 if frame is None else frame, frames_unseen)
        end = at + across * down * 4
        if min(numbers) < 1 or min(counts) < 0 or not 0 <= at < end <= len(self._memory):
            raise ValueError(f"no sizes of a picture: {numbers}")
        if background not in (None, *BACKGROUNDS):
            raise ValueError(f"no background of a picture: {background}")
        # A copy: the next photo comes to the same place.
        with memoryview(self._memory)[at:end] as pixels:
            image = Image.frombytes("RGB", (across, down), pixels, "raw", "RGBX")
        return Picture(
            image=image,
            width=width,
            height=height,
            format=str(format)[:8],
            frames=frames,
            frame=frame,
            background=background,
            frames_unseen=frames_unseen,
            colour_unsure=bool(colour_unsure),
            gain_map=bool(gain_map),
        )


def _shared_file() -> int:
    """Make a nameless file of ``_SHARED_BYTES`` and give its descriptor."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            os.ftruncate(file.fileno(), _SHARED_BYTES)
            return os.dup(file.fileno())
    fd = os.memfd_create("photo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, _SHARED_BYTES)
    # Whoever maps a page that another cut off dies by SIGBUS.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return fd

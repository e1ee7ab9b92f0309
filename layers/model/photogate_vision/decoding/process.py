"""The inner side of ``sandbox``: decodes one photo after the other until its input closes.

Started as a fresh interpreter that imports nothing but what decoding needs. Requests come
as two numbers on standard input (bytes of the photo, bytes of the shared memory, which
holds the photo); each is answered by one line of JSON on standard output, with the pixels
where the photo was.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from PIL import Image

from photogate.errors import PhotoRefused, RetryableError
from photogate_vision.decoding.confinement import confine

if TYPE_CHECKING:
    from photogate_vision.decoding.decode import Picture

#: Size of the photo and of the shared memory, in bytes; then the longer side of the picture that
#: is to be shown, in pixels, or 0 for the pictures that are to be judged.
REQUEST = struct.Struct("<QQI")

#: What decoders import only when some photo needs it: later there are no files to read it from.
_IMPORTED_LATE = (
    "copy",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_16_be",
    "encodings.utf_16_le",
    "PIL.ImageCms",
    "PIL.ImageColor",
    "PIL.ImageFilter",
    "PIL.ImagePalette",
    "PIL.MpoImagePlugin",
    "PIL.TiffImagePlugin",
    "pillow_heif",
)


def main(decoder: str, shower: str, memory_fd: int, time_limit_s: float, memory_bytes: int) -> None:
    """Serve until standard input closes, which it does when the parent ends.

    Args:
        decoder: ``module:function``, with the signature of ``decode.decode``.
        shower: the same, with that of ``copies.showing.to_show``.
        memory_fd: of the memory that is shared with the parent.
        time_limit_s: a photo that takes longer ends this process.
        memory_bytes: what this process may have of its own.
    """
    decode, show = _function(decoder), _function(shower)
    # What libraries print must not be taken for an answer.
    replies = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    _import_the_rest()
    _reply(replies, {"ready": confine(memory_bytes)})
    memory: mmap.mmap | None = None
    while len(request := os.read(0, REQUEST.size)) == REQUEST.size:
        photo_bytes, shared_bytes, longer_side_px = REQUEST.unpack(request)
        if memory is None or len(memory) != shared_bytes:
            memory = mmap.mmap(memory_fd, shared_bytes)
        # The kernel ends it, whatever hangs, and also when nobody waits any more.
        signal.setitimer(signal.ITIMER_REAL, time_limit_s)
        task = partial(show, longer_side_px=longer_side_px) if longer_side_px else decode
        reply = _answer(task, memory, photo_bytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _reply(replies, reply)


def _function(name: str) -> Callable[..., list[Picture]]:
    module, _, function = name.partition(":")
    found: Callable[..., list[Picture]] = getattr(import_module(module), function)
    return found


def _import_the_rest() -> None:
    """Import what photos may need, and nothing from then on."""
    Image.preinit()
    for name in _IMPORTED_LATE:
        try:
            import_module(name)
        except ImportError:
            # The decoder of HEIC is an extra.
            sys.modules[name] = None  # type: ignore[assignment]
    sys.meta_path[:] = [_NothingMore()]


class _NothingMore:
    """Ends this process where it misses a module: that is no fault of the photo's."""

    def find_spec(self, name: str, *_: object) -> NoReturn:
        """See ``importlib.abc.MetaPathFinder``."""
        sys.exit(f"a decoder had not imported {name} in time")


def _answer(
    decode: Callable[[bytes], list[Picture]], memory: mmap.mmap, photo_bytes: int
) -> dict[str, Any]:
    try:
        pictures = decode(memory[:photo_bytes])
        described, at = [], 0
        for picture in pictures:
            # As Pillow keeps them: half the time of packing three bytes, and of unpacking them.
            pixels = picture.image.tobytes("raw", "RGBX")
            memory[at : at + len(pixels)] = pixels
            described.append(
                {
                    "at": at,
                    "size": picture.size,
                    "width": picture.width,
                    "height": picture.height,
                    "format": picture.format,
                    "frames": picture.frames,
                    "frame": picture.frame,
                    "background": picture.background,
                    "frames_unseen": picture.frames_unseen,
                    "colour_unsure": picture.colour_unsure,
                    "gain_map": picture.gain_map,
                }
            )
            at += len(pixels)
    except PhotoRefused as error:
        return {"refused": str(error), "reason": error.reason}
    except RetryableError as error:
        return {"fault": str(error)}
    except MemoryError:
        return {"died": "ran out of memory"}
    except Exception as error:
        # An unexpected error: this process may be in a wrong state, so it ends.
        return {"died": f"failed ({type(error).__name__}: {str(error)[:200]})"}
    return {"pictures": described}


def _reply(fd: int, reply: dict[str, Any]) -> None:
    line = json.dumps(reply).encode() + b"\n"
    while line:
        line = line[os.write(fd, line) :]

"""Sound files with bytes changed at random, and what becomes of thousands of them.

``python -m tests.model.mutations --count 10000 --seed 1`` decodes as many in the sandbox, within
its limits of memory and time, and prints how they ended; exits with 1 when a decoder died.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from PIL import Image

from local.samples import photograph
from photogate.errors import DecoderFailed, PhotoRefused
from photogate_vision.decoding.sandbox import Sandbox
from tests.model.files import ANIMATED, FORMATS, animation, display_p3, good, tagged
from tests.model.originals import animations, stills


def seeds() -> dict[str, Callable[[], bytes]]:
    """Give what makes sound files of every kind, by name."""
    return {
        **{kind: partial(_sound, kind) for kind in FORMATS},
        **{f"turned {kind}": partial(_turned, kind) for kind in FORMATS if kind != "GIF"},
        **{f"animated {kind}": partial(_animated, kind) for kind in ANIMATED},
        "progressive JPEG": lambda: good(_photo(), "JPEG", progressive=True),
        "JPEG with ICC": lambda: good(_photo(), "JPEG", icc_profile=display_p3()),
        "palette": lambda: good(_photo().quantize(16), "PNG", transparency=2),
    }


def _photo() -> Image.Image:
    return photograph("coffee.png").resize((300, 200))


def _sound(kind: str) -> bytes:
    return good(_photo(), kind)


def _turned(kind: str) -> bytes:
    return tagged(_photo(), kind, 6)


def _animated(kind: str) -> bytes:
    return animation([_photo().rotate(angle) for angle in range(4)], kind)


def changed(data: bytes, rng: random.Random) -> bytes:
    """Flip some bytes, most of them near the header; now and then cut, double or drop some."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        place = rng.randrange(min(len(changed), rng.choice((64, 1024, len(changed)))))
        changed[place] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    start, end = sorted(rng.randrange(len(changed)) for _ in range(2))
    match rng.randrange(6):
        case 0:
            del changed[end:]
        case 1:
            del changed[start : min(end, start + 64)]
        case 2:
            changed[start:start] = changed[start : min(end, start + 512)]
    return bytes(changed)


@dataclass(kw_only=True)
class Endings:
    """How mutated files ended."""

    #: By ``decoded`` or the reason of the refusal.
    counts: Counter[str] = field(default_factory=Counter)
    #: Those whose decoder crashed, hung or took too much memory, with what happened.
    died: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def decode_mutations(count: int, seed: int) -> Endings:
    """Decode ``count`` mutated files in the sandbox; the same seed gives the same files."""
    makers = [
        *seeds().items(),
        *((original.name, original.make) for original in (*stills(), *animations())),
    ]
    sound = [(name, make()) for name, make in makers]
    rng, endings, sandbox = random.Random(seed), Endings(), Sandbox()
    for number in range(count):
        name, data = sound[number % len(sound)]
        mutated = changed(data, rng)
        started = time.perf_counter()
        try:
            sandbox.decode(mutated)
            endings.counts["decoded"] += 1
        except PhotoRefused as error:
            endings.counts[error.reason] += 1
        except DecoderFailed as error:
            endings.died.append(f"{number} ({name}): {error}")
        endings.slowest_s = max(endings.slowest_s, time.perf_counter() - started)
    sandbox.close()
    return endings


def main() -> int:
    """Decode, print how they ended; gives 1 when a decoder died."""
    parser = argparse.ArgumentParser(description="Decode mutated files.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    endings = decode_mutations(arguments.count, arguments.seed)
    told = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.counts.items()))
    lines = [f"{told}; {len(endings.died)} died; slowest {endings.slowest_s:.2f} s", *endings.died]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if endings.died else 0


if __name__ == "__main__":
    sys.exit(main())

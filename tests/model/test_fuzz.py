"""Valid files with bytes changed at random: refused, or pictures; nothing else, ever."""

from __future__ import annotations

import random
import time

import pytest

from local.samples import photograph
from photogate.errors import PhotoRefused
from photogate_vision.decoding.decode import decode
from tests.model.files import ANIMATED, FORMATS, animation, display_p3, good, tagged

_ROUNDS = 120


def _seeds() -> dict[str, bytes]:
    photo = photograph("coffee.png").resize((300, 200))
    frames = [photo.rotate(angle) for angle in range(4)]
    return {
        **{kind: good(photo, kind) for kind in FORMATS},
        **{f"turned {kind}": tagged(photo, kind, 6) for kind in FORMATS if kind != "GIF"},
        **{f"animated {kind}": animation(frames, kind) for kind in ANIMATED},
        "progressive JPEG": good(photo, "JPEG", progressive=True),
        "JPEG with ICC": good(photo, "JPEG", icc_profile=display_p3()),
        "palette": good(photo.quantize(16), "PNG", transparency=2),
    }


SEEDS = _seeds()


@pytest.mark.parametrize("name", SEEDS)
def test_changed_bytes_are_refused_or_shown(name: str) -> None:
    rng = random.Random(name)
    refused = 0
    for _ in range(_ROUNDS):
        data = changed(SEEDS[name], rng)
        started = time.process_time()
        try:
            pictures, error = decode(data), None
        except PhotoRefused as refusal:
            pictures, error = [], refusal
        if error is not None:
            refused += 1
            assert error.reason in ("unreadable", "too_large")
            assert "\n" not in str(error)
        assert all(picture.image.mode == "RGB" for picture in pictures)
        assert time.process_time() - started < 5
    assert refused > 0


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

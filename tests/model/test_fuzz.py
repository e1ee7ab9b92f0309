"""Valid files with bytes changed at random: refused, or pictures; nothing else, ever."""

from __future__ import annotations

import random
import time

import pytest

from photogate.errors import PhotoRefused
from photogate_vision.decoding.decode import decode
from tests.model.mutations import changed, decode_mutations, seeds

_ROUNDS = 120


SEEDS = seeds()


@pytest.mark.parametrize("name", SEEDS)
def test_changed_bytes_are_refused_or_shown(name: str) -> None:
    sound, rng = SEEDS[name](), random.Random(name)
    refused = 0
    for _ in range(_ROUNDS):
        data = changed(sound, rng)
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


@pytest.mark.slow
def test_no_decoder_dies_of_changed_bytes() -> None:
    """See ``tests.model.mutations`` for ten thousand."""
    endings = decode_mutations(1_000, seed=2)
    assert endings.died == []
    assert endings.counts.total() == 1_000
    assert {"decoded", "unreadable"} <= endings.counts.keys()

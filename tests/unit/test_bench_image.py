"""What ``python -m bench.image`` makes of what containers tell."""

from __future__ import annotations

from bench.image import bore

FINE = {"verdict_processor": 0.5, "copies_processor": 0.5, "bytes": 1}
REFUSED = FINE | {"refused": "the decoder ended"}


def test_a_decoder_that_a_size_could_not_bear_is_no_photo_that_is_refused() -> None:
    assert bore(FINE, FINE)
    assert bore(REFUSED, REFUSED)
    assert not bore(REFUSED, FINE)
    assert not bore(None, FINE)
    assert not bore(None, None)

"""Copies: what is approved is seen in the end, or a person looks, whatever fails meanwhile."""

from __future__ import annotations

from functools import partial

import pytest

from tests.faults.client import User
from tests.faults.conftest import Close, Scale
from tests.faults.installation import Installation, fleet, steady
from tests.faults.ledger import Ledger
from tests.faults.photos import Album, Truth
from tests.faults.ports import COPY_STAGES, Plan
from tests.servers import eventually


# Each of four photos waits for its lease to run out.
@pytest.mark.slow
def test_killed_between_verdict_and_copies(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """One worker dies at each stage; one that lives takes over."""
    times = scale.of(1, 8)
    for _ in range(times):
        slots = [partial(next, iter([Plan(notes="", stops_at=at)]), None) for at in COPY_STAGES]
        with fleet(installation, steady(), *slots) as workers:
            while len(kills := workers.notes.kills({})) < len(COPY_STAGES):
                _hand_in_nine(installation, ledger, album)
                eventually(lambda: installation.open_batches() == 0, within_s=300)
            installation.settle()
        assert sorted(kill.stage for kill in kills) == sorted(COPY_STAGES)
    account = close("copies: kill -9 at four stages", injected=times * len(COPY_STAGES))
    assert account.good_in_review == 0


def test_the_store_takes_no_copies(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """One of ten copies is refused: tried again, and made in the end."""
    slot = steady(copies_refused=0.1, seed=scale.seed)
    with fleet(installation, slot, slot) as workers:
        for _ in range(scale.of(3, 40)):
            _hand_in_nine(installation, ledger, album)
        installation.settle(within_s=600)
        lines = workers.notes.lines
    refused = sum(line["what"] == "copy refused" for line in lines)
    put_off = sum(line["what"] == "copies put off" for line in lines)
    assert refused == put_off > 0
    account = close("copies: the store refuses every tenth", injected=refused)
    assert account.good_in_review == 0


@pytest.mark.slow
def test_a_decoder_that_dies_of_the_second_decoding_only(
    installation: Installation, ledger: Ledger, album: Album, scale: Scale, close: Close
) -> None:
    """Approved at first, then seen by nobody but a person."""
    times = scale.of(1, 10)
    with fleet(installation, steady(shower="tests.model.odd_decoders:show")):
        for _ in range(times):
            user = User(installation, ledger)
            user.hand_in(album.take(5, truth=Truth.GOOD))
            user.close()
        installation.settle()
    account = close("copies: the second decoding kills its decoder", injected=5 * times)
    assert account.statuses == {"review": 5 * times}


def _hand_in_nine(installation: Installation, ledger: Ledger, album: Album) -> None:
    user = User(installation, ledger)
    user.hand_in(album.take(9))
    user.close()

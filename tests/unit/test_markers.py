"""Markers of test photos: found wherever a tool puts them, and never taken for another."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from photogate.domain import Finding, Reason, Signals, Status, Verdict
from photogate.domain.markers import MARKER, as_marked, marker_in, reason_of

KNOWN = [
    "approved",
    "review",
    *(f"{status}:{reason}" for status in ("rejected", "review") for reason in Reason),
]
JUDGED = Finding(
    photo_id="p",
    verdict=Verdict(status=Status.REJECTED, reason="blurry", policy="community@3"),
    signals=Signals(width=8, height=8),
    original_key="kept/p",
)


def in_jpeg(says: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", comment=f"{MARKER}{says}")
    return buffer.getvalue()


def in_jpegs_exif(says: str) -> bytes:
    exif, buffer = Image.Exif(), BytesIO()
    exif[0x010E] = f"{MARKER}{says}"  # ImageDescription
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def in_gif(says: str) -> bytes:
    buffer = BytesIO()
    Image.new("P", (8, 8)).save(buffer, "GIF", comment=f"{MARKER}{says}")
    return buffer.getvalue()


def in_png(says: str, *, international: bool = False, key: str = "Comment") -> bytes:
    info, buffer = PngInfo(), BytesIO()
    (info.add_itxt if international else info.add_text)(key, f"{MARKER}{says}")
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def in_itxt(says: str) -> bytes:
    return in_png(says, international=True)


def appended(says: str) -> bytes:
    return in_jpeg("")[:-2] + f"{MARKER}{says}\n".encode()


@pytest.mark.parametrize("make", [in_jpeg, in_jpegs_exif, in_gif, in_png, in_itxt, appended])
def test_each_verdict_is_read_wherever_it_stands(make: Callable[[str], bytes]) -> None:
    for says in KNOWN:
        marker = marker_in(make(says))
        assert marker, says
        assert marker.says == says
        status, _, reason = says.partition(":")
        assert marker.verdict, says
        assert marker.verdict.status == status
        # What waits for a person has no reason yet; it is suggested.
        assert marker.verdict.reason == (reason if status == "rejected" else None), says
        assert reason_of(says) == (reason or None)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=79))
def test_a_pngs_checksum_belongs_to_no_name(key: str) -> None:
    """Given texts of all kinds, so that the first bytes of some checksums are letters."""
    marker = marker_in(in_png("rejected:nsfw", key=key))
    assert marker
    assert marker.says == "rejected:nsfw"


@pytest.mark.parametrize(
    "says", ["", "nsfw", "rejected", "rejected:", "rejected:nsfws", "approved:nsfw", "review:nope"]
)
@pytest.mark.parametrize("make", [in_jpeg, in_png, appended])
def test_what_names_no_verdict_goes_to_a_person_with_an_error(make: object, says: str) -> None:
    assert callable(make)
    found = as_marked(JUDGED, make(says))
    assert found.verdict == Verdict(status=Status.REVIEW)
    assert found.error
    assert found.error.startswith(f"the marker {MARKER}{says}")
    assert "group_photo" in found.error
    assert found.marker is not None


def test_the_last_marker_counts() -> None:
    marker = marker_in(in_jpeg("approved") + f"{MARKER}rejected:nsfw".encode())
    assert marker
    assert marker.says == "rejected:nsfw"


def test_only_the_judgement_is_replaced() -> None:
    found = as_marked(JUDGED, in_jpeg("approved"))
    assert found.verdict == Verdict(status=Status.APPROVED)
    assert (found.signals, found.original_key) == (JUDGED.signals, JUDGED.original_key)
    assert found.scores() == {"width": 8, "height": 8, "marker": "approved"}


def test_a_photo_without_a_marker_keeps_its_verdict() -> None:
    assert as_marked(JUDGED, b"PHOTOGATE-TESTS are fun") is JUDGED


def test_what_no_decoder_opened_keeps_its_refusal() -> None:
    refused = Finding(photo_id="p", verdict=Verdict(status=Status.REJECTED, reason="unreadable"))
    assert as_marked(refused, in_jpeg("approved")) is refused

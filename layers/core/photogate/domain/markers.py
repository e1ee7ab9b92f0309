"""Test photos: a text in a photo's bytes names the verdict that it gets, where test mode is on.

So a developer sees what becomes of a rejected photo without having such a picture. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from zlib import crc32

from photogate.domain.verdicts import Finding, Reason, Status, Verdict

#: What stands before the verdict, as plain ASCII, anywhere in the bytes.
MARKER = "PHOTOGATE-TEST:"
#: For logs and people, wherever a process says it of itself.
TEST_MODE_ON = (
    f"test mode is on: whoever writes {MARKER} into a photo chooses its verdict; such photos are in"
    " no figure"
)

#: By what a marker says.
_VERDICTS = {
    "approved": Verdict(status=Status.APPROVED),
    "review": Verdict(status=Status.REVIEW),
    # What waits for a person has no reason: the page suggests the one that the marker names.
    **{f"review:{reason}": Verdict(status=Status.REVIEW) for reason in Reason},
    **{
        f"rejected:{reason}": Verdict(status=Status.REJECTED, reason=reason.value)
        for reason in Reason
    },
}
_WORD = re.compile(rb"[A-Za-z0-9_:-]{0,64}")


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What the last marker of a photo says."""

    #: Such as ``rejected:nsfw``; letters, digits, ``_``, ``:`` and ``-``.
    says: str
    #: None when it names none.
    verdict: Verdict | None

    @property
    def names_none(self) -> str:
        """What is wrong with a marker that names no verdict, and the way out."""
        return (
            f"the marker {MARKER}{self.says} names no verdict: use approved, review,"
            f" rejected:REASON or review:REASON, where REASON is one of {', '.join(Reason)}"
        )


def marker_in(data: bytes) -> Marker | None:
    """Find the last marker in a photo's bytes; None where there is none.

    It ends at the first byte that belongs to no name, at the end of the file, or at the checksum
    of the PNG text that holds it.
    """
    at = data.rfind(MARKER.encode())
    if at < 0:
        return None
    begin = at + len(MARKER)
    word = _WORD.match(data, begin)
    said = word[0].decode() if word else ""
    for length in range(len(said), 0, -1):
        says = said[:length]
        if says in _VERDICTS and (says == said or _ends_png_text(data, at, begin + length)):
            return Marker(says=says, verdict=_VERDICTS[says])
    return Marker(says=said, verdict=None)


def as_marked(finding: Finding, data: bytes) -> Finding:
    """Give a finding the verdict that the photo's marker names; the same where it has none.

    A marker that names none is an error, so that a person looks. What no decoder opened keeps its
    refusal: only the judgement is replaced.
    """
    marker = marker_in(data) if finding.decoded else None
    if marker is None:
        return finding
    if marker.verdict is None:
        verdict, error = Verdict(status=Status.REVIEW), marker.names_none
        return replace(finding, verdict=verdict, error=error, marker=marker.says)
    return replace(finding, verdict=marker.verdict, marker=marker.says)


def reason_of(says: str) -> str | None:
    """Give the reason that a marker names, for people to whom it sent the photo."""
    return says.partition(":")[2] or None if says in _VERDICTS else None


def _ends_png_text(data: bytes, at: int, end: int) -> bool:
    """Tell whether a text chunk of a PNG that holds ``at`` ends there, before its checksum."""
    kind = max(data.rfind(b"tEXt", 0, at), data.rfind(b"iTXt", 0, at))
    checksum = int.from_bytes(data[end : end + 4], "big")
    return kind >= 0 and crc32(memoryview(data)[kind:end]) == checksum

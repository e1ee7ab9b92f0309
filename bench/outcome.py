"""What became of everything that was handed in."""

from __future__ import annotations

from bench.figures import Figure
from bench.installation import Installation, backlog

#: Reasons that say that a photo was not looked at; none of the bench's deserves one.
_NOT_LOOKED_AT = ("unreadable", "too_large", "too_small")


def figures(installation: Installation) -> list[Figure]:
    """Wait for the queue to empty, and count errors and what is left.

    An error is a photo whose request was refused, that has no verdict, or whose verdict
    came from a failure.
    """
    installation.drain(within_s=60)
    stats = installation.queue_stats()
    day, left = stats["last_24h"], backlog(stats)
    unseen = sum(day["rejection_reasons"].get(reason, 0) for reason in _NOT_LOOKED_AT)
    no_verdict = max(0, installation.accepted - day["total"])
    errors = installation.refused + no_verdict + day["failed"] + unseen
    ended = installation.stack.workers - len(installation.worker_pids())
    everything = installation.accepted + installation.refused
    return [
        Figure(
            name=f"errors among {everything:,} photos",
            value=100 * errors / everything if everything else float("nan"),
            unit="%",
            bound=1,
            predecessor=1,
            digits=2,
        ),
        Figure(
            name=f"left afterwards ({', '.join(left)})",
            value=sum(left.values()),
            unit="",
            bound=1,
            digits=0,
        ),
        Figure(name="workers that ended meanwhile", value=ended, unit="", bound=1, digits=0),
    ]


def verdicts_line(installation: Installation) -> str:
    """Say how many verdicts of which kind were given."""
    day = installation.queue_stats()["last_24h"]
    review = day["total"] - day["approved"] - day["rejected"]
    return (
        f"{day['total']:,} verdicts: {day['approved']:,} approved, {review:,} to a person,"
        f" {day['rejected']:,} rejected {day['rejection_reasons'] or ''}".rstrip()
    )

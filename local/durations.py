"""Times as people read them."""

from __future__ import annotations


def age(seconds: float | None) -> str:
    """Give the largest unit that fits, such as ``3 min``; ``-`` for None."""
    if seconds is None:
        return "-"
    for unit, of in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= of:
            return f"{seconds / of:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"

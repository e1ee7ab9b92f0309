"""Which categories the labels of a model may have, and what a model may claim to tell.

A score that is read wrongly is worse than none: so each label has one category of a closed
set, and only in ways that leave its score what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from photogate.domain import NSFW_CATEGORIES
from photogate.domain.panel import GORE

#: For models that tell one risk instead of ``porn`` and ``hentai``.
EXPLICIT = "explicit"
#: All that policies know.
CATEGORIES = (*NSFW_CATEGORIES, EXPLICIT, GORE)
#: Together they are what policies call explicit.
_PARTS = {"porn", "hentai"}


def check_categories(categories: Sequence[str], *, exclusive: bool) -> None:
    """Hold the categories of a model's labels, in its order, to the rules.

    Args:
        exclusive: whether the model's probabilities add up to 1.

    Raises:
        ValueError: they break one; says which, and the way out.
    """
    found = set(categories)
    if unknown := sorted(found - set(CATEGORIES)):
        raise ValueError(
            f"there is no category {unknown[0]!r}: choose one of {', '.join(CATEGORIES)}"
        )
    if not found & {*_PARTS, EXPLICIT}:
        raise ValueError(
            f"nothing is mapped to {EXPLICIT}, so that nothing would ever be rejected: map to it"
            " each label that means nudity or sex"
        )
    if EXPLICIT in found and found & _PARTS:
        raise ValueError(
            f"{EXPLICIT} is porn and hentai together: map to {EXPLICIT} alone,"
            " or to porn and hentai"
        )
    if found & _PARTS and len(categories) == 2:
        raise ValueError(
            f"two labels give one risk score, which is never split up: map the risky one to"
            f" {EXPLICIT} and the other one to neutral"
        )
    if found & _PARTS and not found >= _PARTS:
        raise ValueError(
            "porn and hentai only count together: map labels to both of them,"
            f" or the risky ones to {EXPLICIT}"
        )
    if found & _PARTS and not exclusive:
        raise ValueError(
            "the labels are independent of each other, so that porn and hentai cannot be"
            f" added up: map both to {EXPLICIT}"
        )
    if exclusive and found <= {*_PARTS, EXPLICIT}:
        raise ValueError("every label is mapped to a risk: map the harmless ones to neutral")

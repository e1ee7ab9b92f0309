"""Which label of a model means which category, and what a model may claim to tell.

A score that is read wrongly is worse than none: a label that is mapped the wrong way
round approves what it should reject. So every label is mapped by a person, to one
category of a closed set, and only in ways that leave its score what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from photogate.domain import NSFW_CATEGORIES
from photogate.errors import ConfigError

#: For models that tell one risk instead of ``porn`` and ``hentai``.
EXPLICIT = "explicit"
#: All that policies know.
CATEGORIES = (*NSFW_CATEGORIES, EXPLICIT)
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
        raise ValueError(f"there is no category {unknown[0]!r}: choose of {', '.join(CATEGORIES)}")
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


def map_labels(labels: Sequence[str], pairs: Sequence[str], *, exclusive: bool) -> tuple[str, ...]:
    """Give the category of each label.

    Args:
        labels: in the model's order.
        pairs: ``label=category``, in any order; a label may hold ``=`` itself.
        exclusive: whether the model's probabilities add up to 1.

    Raises:
        ConfigError: a pair is not of this form or names no label, a label is mapped
            twice or not at all, or they break a rule of ``check_categories``.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        label, equals, category = (part.strip() for part in pair.rpartition("="))
        if not equals or not label or not category:
            raise ConfigError(f"--map {pair!r} is not of the form label=category")
        if label not in labels:
            raise ConfigError(
                f"--map {pair!r}: the model has no label {label!r}, it has {_listed(labels)}"
            )
        if label in found:
            raise ConfigError(
                f"--map {pair!r}: {label!r} is mapped to {found[label]} already;"
                " a score is never split up, so map each label once"
            )
        found[label] = category
    if missing := [label for label in labels if label not in found]:
        raise ConfigError(
            f"the model's label {_listed(missing)} is not mapped: add --map 'label=category' for"
            f" each, where category is one of {', '.join(CATEGORIES)}"
        )
    categories = tuple(found[label] for label in labels)
    try:
        check_categories(categories, exclusive=exclusive)
    except ValueError as error:
        raise ConfigError(f"--map: {error}") from error
    return categories


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(repr(label) for label in labels)

"""Maps the labels of a model that is added to categories, as a person says.

A label that is mapped the wrong way round approves what it should reject. So nothing is
guessed: every label is mapped by a person, to one category.
"""

from __future__ import annotations

from collections.abc import Sequence

from photogate.errors import ConfigError
from photogate_vision.classifier.categories import CATEGORIES, check_categories


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

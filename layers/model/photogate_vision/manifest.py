"""What the bundles' readers share: a manifest, field by field, and files held to a digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from photogate.errors import ConfigError

_WAY_OUT = "run `make model` (or `photogate model faces`)"


class Manifest:
    """A bundle's ``manifest.json``; errors name the field.

    Raises:
        ConfigError: it is missing or not JSON; so does every method for its field.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "manifest.json"
        data = _read(self._path)
        #: sha256 of the manifest itself.
        self.digest = hashlib.sha256(data).hexdigest()
        try:
            self._fields = json.loads(data)
        except ValueError as error:
            raise ConfigError(f"{self._path} is not JSON ({error}): {_WAY_OUT}") from error

    def wrong(self, field: str, need: str) -> ConfigError:
        """Make the error for a field."""
        return ConfigError(f"{self._path}: {field} {need}: {_WAY_OUT}")

    def value(self, field: str) -> object:
        """Give a field; ``a.b`` looks inside ``a``."""
        value = self._fields
        for key in field.split("."):
            if not isinstance(value, Mapping) or key not in value:
                raise self.wrong(field, "is missing")
            value = value[key]
        return value

    def only(self, field: str, known: object) -> None:
        """Hold a field to the one value that this version knows."""
        if (value := self.value(field)) != known:
            raise self.wrong(field, f"is {value!r}, this version knows {known!r} only")

    def text(self, field: str) -> str:
        """Give a text that is not empty."""
        value = self.value(field)
        if not isinstance(value, str) or not value:
            raise self.wrong(field, "is not a text")
        return value

    def sha256(self, field: str) -> str:
        """Give a digest of 64 hex digits."""
        value = self.text(field)
        if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise self.wrong(field, "is not a sha256")
        return value

    def whole(self, field: str, low: int, high: int) -> int:
        """Give a whole number, ``low`` to ``high``."""
        value = self.value(field)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(field, f"is not a whole number from {low} to {high}")
        return value

    def number(self, field: str, value: object | None = None) -> float:
        """Give a finite number: the field, or ``value``, which stands inside it."""
        value = self.value(field) if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(field, "is not a number")
        if not math.isfinite(value):
            raise self.wrong(field, "is not finite")
        return float(value)

    def verify(self, file: Path, expected: str) -> str:
        """Hold a file of the bundle to its digest, and give that."""
        digest = hashlib.sha256(_read(file)).hexdigest()
        if digest != expected:
            raise ConfigError(
                f"{file} has sha256 {digest[:16]}…, its manifest says {expected[:16]}…: "
                f"it was altered or cut short; remove {self.folder} and {_WAY_OUT}"
            )
        return digest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror or error}): {_WAY_OUT}"
        ) from error

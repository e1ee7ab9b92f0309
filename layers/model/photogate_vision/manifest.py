"""What the bundles' readers share: a manifest, field by field, and files held to a digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from photogate.errors import ConfigError

WAY_OUT = "run `make model` (or `photogate model build faces`, or add your own model again)"


class Manifest:
    """A bundle's ``manifest.json``, or another file of that kind; errors name the field.

    Args:
        folder: where it is.
        file: its name.
        way_out: what errors end with.

    Raises:
        ConfigError: it is missing or no JSON object; so does every method for its field.
    """

    def __init__(
        self, folder: Path, file: str = "manifest.json", *, way_out: str = WAY_OUT
    ) -> None:
        self.folder = folder
        self._path, self._way_out = folder / file, way_out
        data = self._read(self._path)
        #: sha256 of the manifest itself.
        self.digest = hashlib.sha256(data).hexdigest()
        try:
            self._fields = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{self._path} is not JSON ({error}): {way_out}") from error

    def wrong(self, field: str, need: str) -> ConfigError:
        """Make the error for a field."""
        return ConfigError(f"{self._path}: {field} {need}: {self._way_out}")

    def has(self, field: str) -> bool:
        """Tell whether a field is there, and not null."""
        value = self._fields
        for key in field.split("."):
            if not isinstance(value, Mapping) or value.get(key) is None:
                return False
            value = value[key]
        return True

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
        try:
            number = float(value)
        except OverflowError:  # a whole number of 400 digits
            number = math.inf
        if not math.isfinite(number):
            raise self.wrong(field, "is not finite")
        return number

    def verify(self, file: Path, expected: str) -> str:
        """Hold a file of the bundle to its digest, and give that."""
        digest = sha256_of(file, way_out=self._way_out)
        if digest != expected:
            raise ConfigError(
                f"{file} has sha256 {digest[:16]}…, its manifest says {expected[:16]}…: "
                f"it was altered or cut short; remove {self.folder} and {self._way_out}"
            )
        return digest

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise _unreadable(path, error, self._way_out) from error


def sha256_of(path: Path, *, way_out: str = WAY_OUT) -> str:
    """Give the digest of a file, without holding all of it in memory.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error, way_out) from error


def _unreadable(path: Path, error: OSError, way_out: str) -> ConfigError:
    return ConfigError(f"{path} cannot be read ({error.strerror or error}): {way_out}")

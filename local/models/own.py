"""Keeps the models that people add, by name, beside those that are built here.

Each is a folder of its own, ``models/own/NAME`` in the user's cache, that ``MODEL_DIR`` may
name and that may be copied elsewhere. It appears whole or not at all, and what a name
stands for never changes: another model needs another name.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.models.build import SHIPPED, THIRD, cache_folder, ensure_bundle, ensure_third
from photogate.errors import ConfigError
from photogate_vision.classifier.bundle import load_bundle

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
#: Names that `photogate model build` uses already.
_TAKEN = (*SHIPPED, THIRD, "faces", "none")


def bundle_folder(name: str, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Give the folder of a model's verified bundle; a shipped one is built when missing.

    Raises:
        ConfigError: there is no such model, or its bundle is damaged.
    """
    if name in SHIPPED:
        return ensure_bundle(name, progress)
    if name == THIRD:
        return ensure_third(progress)
    if name not in own_models():
        known = ", ".join([*SHIPPED, THIRD, *own_models()])
        raise ConfigError(
            f"no model is called {name!r}: choose one of {known}, or add it: photogate model add"
        )
    load_bundle(own_folder(name))
    return own_folder(name)


def seat_folder(choice: str, progress: Callable[[str], None] = lambda _: None) -> str:
    """Give ``SECOND_MODEL`` or ``THIRD_MODEL`` as a process takes it: ``none``, or a folder.

    Args:
        choice: ``none``, a model's name or a bundle's folder.
        progress: see ``bundle_folder``.

    Raises:
        ConfigError: there is no such model, or its bundle is damaged.
    """
    if choice == "none":
        return choice
    if "/" in choice or Path(choice).is_dir():
        return str(Path(choice).resolve())
    return str(bundle_folder(choice, progress))


def own_models() -> list[str]:
    """Give the names of what was added, in order."""
    if not _folder().is_dir():
        return []
    return sorted(path.name for path in _folder().iterdir() if _NAME.fullmatch(path.name))


def own_folder(name: str) -> Path:
    """Where the bundle of an added model is, or would be."""
    return _folder() / name


def own_name(name: str | None, folder: Path) -> str:
    """Give the name under which a model is added: ``name``, or the folder's own.

    Raises:
        ConfigError: it is taken, or cannot be a name.
    """
    chosen = folder.resolve().name.lower() if name is None else name
    if not _NAME.fullmatch(chosen):
        raise ConfigError(
            f"{chosen!r} cannot be a model's name: give one with --name, of small letters,"
            " digits, - and _, 64 at most"
        )
    if chosen in _TAKEN or chosen in own_models():
        raise ConfigError(
            f"a model is called {chosen!r} already, and stays what it is: choose another --name"
            + ("" if chosen in _TAKEN else f", or photogate model remove {chosen}")
        )
    return chosen


@contextmanager
def staged(name: str) -> Iterator[Path]:
    """Give an empty folder for a bundle that is to be tried; it is gone afterwards.

    Raises:
        ConfigError: another process is adding a model of this name.
    """
    _folder().mkdir(parents=True, exist_ok=True)
    part = _folder() / f".{name}.part"
    with (_folder() / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by a crash as well
        except OSError as error:
            raise ConfigError(f"{name!r} is being added by another process just now") from error
        shutil.rmtree(part, ignore_errors=True)  # a crash may have left it
        part.mkdir()
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)


def accept(part: Path, name: str) -> Path:
    """Make what was staged a model of that name, at once; gives its folder.

    Raises:
        ConfigError: the name was taken meanwhile, or what was staged is damaged.
    """
    load_bundle(part)
    own_name(name, part)
    return part.rename(own_folder(name))


def remove(name: str) -> None:
    """Remove a model that was added. Processes that have loaded it go on.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in own_models():
        listed = ", ".join(own_models()) or "none"
        raise ConfigError(f"no added model is called {name!r}; there are {listed}")
    gone = _folder() / f".{name}.gone"
    shutil.rmtree(gone, ignore_errors=True)
    own_folder(name).rename(gone)
    shutil.rmtree(gone)


def _folder() -> Path:
    return cache_folder() / "own"

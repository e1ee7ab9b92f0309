"""Looks at pictures with several processes, at each only once."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from local.evaluation.labels import Labelled
from local.evaluation.notebook import Measured, Notebook
from photogate.domain import Reason
from photogate.domain.policy import Look, Policy
from photogate.errors import ConfigError, DecoderFailed, PhotoRefused, RetryableError
from photogate.ports.vision import PhotoAnalyzer
from photogate.settings import MAX_PHOTO_BYTES

#: Tasks in flight for each process: enough that none waits, few enough to stop soon.
_AHEAD = 4


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """What looks at pictures: models, closeness and face detector, by settings."""

    #: Overrides of the environment's settings, by the names of ``ModelSettings``.
    settings: Mapping[str, str]
    #: Asks for everything that is to be measured.
    policy: Policy

    def analyzer(self) -> PhotoAnalyzer:
        """Load the models.

        Raises:
            ConfigError: a bundle is missing or damaged.
        """
        from photogate import bootstrap
        from photogate.settings import ModelSettings, read

        return bootstrap.analyzer(read(ModelSettings, **self.settings), self.policy)

    def key(self, analyzer: PhotoAnalyzer) -> str:
        """Name what is measured: equal for two runs whose measures are the same."""
        from photogate_vision.decoding.decode import PREPROCESSING

        said: dict[str, Any] = {
            "models": analyzer.model_digest,
            "measures": sorted(analyzer.measures),
            "look": self.settings.get("look") or self.policy.look,
            "preprocessing": PREPROCESSING,
            "faces": self.settings.get("faces_dir") or os.environ.get("COMPREFACE_URL"),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def asking_for_all(policies: Sequence[Policy], look: Look) -> Policy:
    """Give a policy that asks for what any of these asks for; it decides nothing."""
    return Policy(
        name="evaluate",
        version=1,
        required=frozenset(),
        thresholds=tuple(t for policy in policies for t in policy.thresholds),
        look=look,
    )


@dataclass(kw_only=True)
class Measurements:
    """What is known of all pictures."""

    #: By ``Labelled.name``.
    of: dict[str, Measured] = field(default_factory=dict)
    #: One line for each picture that could not be measured, and why.
    problems: list[str] = field(default_factory=list)


def measure(
    pictures: Sequence[Labelled],
    instrument: Instrument,
    notebook: Notebook,
    *,
    processes: int,
    progress: Callable[[], None] = lambda: None,
) -> Measurements:
    """Measure all that the notebook does not know yet.

    Args:
        processes: how many look at once.
        progress: called for each picture that is done.

    Raises:
        ConfigError: a process that looks cannot start, or ended.
    """
    found, unknown = Measurements(), dict[str, list[Labelled]]()
    for picture in pictures:
        try:
            sha256 = _digest(picture.path)
        except OSError as error:
            found.problems.append(f"{picture.name}: {error.strerror}")
            progress()
            continue
        if (known := notebook.get(sha256)) is not None:
            found.of[picture.name] = known
            progress()
        else:
            unknown.setdefault(sha256, []).append(picture)
    if unknown:
        _look(list(unknown.values()), instrument, notebook, processes, found, progress)
    return found


def _look(
    unknown: list[list[Labelled]],
    instrument: Instrument,
    notebook: Notebook,
    processes: int,
    found: Measurements,
    progress: Callable[[], None],
) -> None:
    pool = ProcessPoolExecutor(
        min(processes, len(unknown)),
        # Not forked: threads of the models' library would be lost.
        mp_context=get_context("spawn"),
        initializer=_prepare,
        initargs=(instrument,),
    )
    todo, running = iter(unknown), dict[Future[Measured | str], list[Labelled]]()
    try:
        while True:
            for alike in todo:
                running[pool.submit(_measured, alike[0].path)] = alike
                if len(running) >= _AHEAD * processes:
                    break
            if not running:
                return
            done = next(as_completed(running))
            alike, result = running.pop(done), done.result()
            if isinstance(result, Measured):
                notebook.add([result])
            for picture in alike:
                if isinstance(result, Measured):
                    found.of[picture.name] = result
                else:
                    found.problems.append(f"{picture.name}: {result}")
                progress()
    except BrokenProcessPool as error:
        raise ConfigError(
            "a process that looks at pictures ended: is there enough memory? What was measured is"
            " kept; run it again, with fewer --processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_analyzer: PhotoAnalyzer | None = None


def _prepare(instrument: Instrument) -> None:
    """In each process, once: Ctrl-C is the first one's to handle, and nobody outlives that."""
    global _analyzer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _analyzer = instrument.analyzer()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)


def _measured(path: Path) -> Measured | str:
    """Measure one picture; words when that is not possible now."""
    assert _analyzer is not None  # noqa: S101 - prepared
    try:
        if path.stat().st_size > MAX_PHOTO_BYTES:
            return Measured(sha256=_digest(path), refused=Reason.TOO_LARGE)
        data = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        return Measured(sha256=sha256, looks=tuple(_analyzer.analyze(data)))
    except PhotoRefused as error:
        return Measured(sha256=sha256, refused=Reason(error.reason), detail=str(error))
    except (RetryableError, DecoderFailed, ConfigError) as error:
        return f"could not be measured: {error}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

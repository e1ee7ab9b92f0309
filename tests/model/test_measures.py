"""What the analyzer says that it measures is what it measures."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import pytest

from local.models.build import ensure_faces
from local.samples import jpeg, photograph
from photogate.domain import NEVER, AgeRange, Deadline, Face
from photogate.domain.measures import MEASURES, read
from photogate.ports.vision import FaceDetector, UprightPicture
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.faces.detector import EmbeddedFaces

#: What can be measured while the third seat is empty.
ALL = {name: measure for name, measure in MEASURES.items() if not measure.optional}
#: The first model's bundle, and those of the others.
Panel: TypeAlias = tuple[Path, tuple[Path, ...] | None]


class Ages:
    """Sees one face and its age."""

    tells_age = True

    def detect(self, picture: UprightPicture, deadline: Deadline = NEVER) -> list[Face]:
        """Answer."""
        return [Face(box=(0.4, 0.2, 0.6, 0.5), score=0.9, age=AgeRange(low=25, high=32))]


@pytest.fixture(scope="module")
def large() -> bytes:
    """A portrait that has parts."""
    return jpeg(photograph("astronaut.png").resize((1024, 1024)))


def measured(panel: Panel, photo: bytes, faces: FaceDetector | None) -> tuple[set[str], set[str]]:
    bundle, others = panel
    analyzer = VisionAnalyzer(bundle, others=others, tiles=2, faces=faces)
    (signals,) = analyzer.analyze(photo)
    return set(analyzer.measures), set(read(signals))


@pytest.fixture
def panel(bundle: Path, second_bundle: Path) -> Panel:
    return bundle, (second_bundle,)


def test_one_model_alone(bundle: Path, large: bytes) -> None:
    said, given = measured((bundle, ()), large, None)
    seconds = {"nsfw.second", "nsfw.tile", "opennsfw.explicit"}
    assert said == given == {n for n, m in ALL.items() if m.signal != "faces"} - seconds


def test_where_nobody_asks_for_a_panel(bundle: Path, large: bytes) -> None:
    said, given = measured((bundle, None), large, None)
    of_panel = {n for n, m in ALL.items() if m.signal in ("opinions", "tile")}
    assert said == given == {n for n, m in ALL.items() if m.signal != "faces"} - of_panel


def test_without_faces(panel: Panel, large: bytes) -> None:
    said, given = measured(panel, large, None)
    assert said == given == {n for n, m in ALL.items() if m.signal != "faces"}


def test_with_faces_of_unknown_age(panel: Panel, large: bytes) -> None:
    said, given = measured(panel, large, EmbeddedFaces(ensure_faces(print)))
    # It looks for no ages, so that their absence says nothing.
    assert said == given - {"faces_without_age"}


def test_with_ages(panel: Panel, large: bytes) -> None:
    said, given = measured(panel, large, Ages())
    assert said == given == set(ALL)

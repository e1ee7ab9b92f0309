"""What the analyzer says that it measures is what it measures."""

from __future__ import annotations

from pathlib import Path

from local.models.build import ensure_faces
from photogate.domain import NEVER, AgeRange, Deadline, Face
from photogate.domain.measures import MEASURES, read
from photogate.ports.vision import FaceDetector, UprightPicture
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.faces.detector import EmbeddedFaces


class Ages:
    """Sees one face and its age."""

    tells_age = True

    def detect(self, picture: UprightPicture, deadline: Deadline = NEVER) -> list[Face]:
        """Answer."""
        return [Face(box=(0.4, 0.2, 0.6, 0.5), score=0.9, age=AgeRange(low=25, high=32))]


def measured(
    bundle: Path, portrait: bytes, faces: FaceDetector | None
) -> tuple[set[str], set[str]]:
    analyzer = VisionAnalyzer(bundle, faces=faces)
    (signals,) = analyzer.analyze(portrait)
    return set(analyzer.measures), set(read(signals))


def test_without_faces(bundle: Path, portrait: bytes) -> None:
    said, given = measured(bundle, portrait, None)
    assert said == given == {n for n, m in MEASURES.items() if m.signal != "faces"}


def test_with_faces_of_unknown_age(bundle: Path, portrait: bytes) -> None:
    said, given = measured(bundle, portrait, EmbeddedFaces(ensure_faces(print)))
    # It looks for no ages, so that their absence says nothing.
    assert said == given - {"faces_without_age"}


def test_with_ages(bundle: Path, portrait: bytes) -> None:
    said, given = measured(bundle, portrait, Ages())
    assert said == given == set(MEASURES)

"""The embedded face detector on pictures whose faces are known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from local.models.build import ensure_faces
from local.samples import photograph
from photogate.domain import Face
from photogate.ports.vision import FaceDetector
from photogate_vision.decoding.decode import Picture
from photogate_vision.faces.detector import MOST_PROPOSALS, EmbeddedFaces

#: The astronaut's face in pixels of the photograph, and the tip of her nose, both by eye.
FACE = (174, 74, 276, 178)
NOSE = (224, 126)
#: Head and shoulders: what is pasted where faces are wanted; FACE fills half of it.
HEAD = (125, 25, 325, 225)


def shown(image: Image.Image) -> Picture:
    """Give a picture as decoding would."""
    return Picture(image=image, width=image.width, height=image.height, format="PNG", frames=1)


@pytest.fixture(scope="module")
def bundle() -> Path:
    return ensure_faces(print)


@pytest.fixture(scope="module")
def detector(bundle: Path) -> FaceDetector:
    return EmbeddedFaces(bundle)


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return photograph("astronaut.png")


def pixels(face: Face, size: tuple[int, int]) -> tuple[float, ...]:
    return tuple(share * length for share, length in zip(face.box, size * 2, strict=True))


def same_place(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def test_a_portrait_has_one_face_in_its_place(
    detector: FaceDetector, astronaut: Image.Image
) -> None:
    faces = detector.detect(shown(astronaut))
    assert len(faces) == 1
    x0, y0, x1, y1 = pixels(faces[0], astronaut.size)
    assert same_place((x0, y0, x1, y1), FACE) > 0.7
    assert x0 < NOSE[0] < x1
    assert y0 < NOSE[1] < y1
    assert 0.7 <= faces[0].score <= 1


def test_it_tells_no_age(detector: FaceDetector, astronaut: Image.Image) -> None:
    assert not detector.tells_age
    assert [face.age for face in detector.detect(shown(astronaut))] == [None]


def test_the_same_picture_gives_the_same_faces(
    detector: FaceDetector, astronaut: Image.Image
) -> None:
    # given many threads that ask at once, when each shows the same picture
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(detector.detect, [shown(astronaut)] * 8))
    # then all get the same answer
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "name", ["chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "ihc.png"]
)
def test_other_photographs_have_none(detector: FaceDetector, name: str) -> None:
    assert detector.detect(shown(photograph(name))) == []


def test_a_mirrored_face_is_found_on_the_other_side(
    detector: FaceDetector, astronaut: Image.Image
) -> None:
    faces = detector.detect(shown(ImageOps.mirror(astronaut)))
    assert len(faces) == 1
    mirrored = (512 - FACE[2], FACE[1], 512 - FACE[0], FACE[3])
    assert same_place(pixels(faces[0], astronaut.size), mirrored) > 0.7


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_face_of_a_group_is_counted(
    detector: FaceDetector, astronaut: Image.Image, count: int
) -> None:
    # given a table with heads of different sizes above it, every other one mirrored
    group, head = photograph("coffee.png").resize((960, 640)), astronaut.crop(HEAD)
    places = []
    for number in range(count):
        side = 150 + 10 * number
        left, top = 20 + 310 * (number % 3), 30 + 300 * (number // 3)
        pasted = head.resize((side, side))
        group.paste(ImageOps.mirror(pasted) if number % 2 else pasted, (left, top))
        places.append((left, top, left + side, top + side))
    # when they are looked for
    faces = [pixels(face, group.size) for face in detector.detect(shown(group))]
    # then each has one face
    assert len(faces) == count
    for left, top, right, bottom in places:
        inside = [
            face
            for face in faces
            if left < (face[0] + face[2]) / 2 < right and top < (face[1] + face[3]) / 2 < bottom
        ]
        assert len(inside) == 1


@pytest.mark.parametrize("place", [(0, 0), (300, 40), (441, 228)])
def test_a_face_of_40_pixels_is_found(
    detector: FaceDetector, astronaut: Image.Image, place: tuple[int, int]
) -> None:
    # given a picture of 640 pixels in which the face has 40
    scene = photograph("coffee.png").resize((640, 427))
    scene.paste(astronaut.resize((199, 199)), place)
    # then it is found
    faces = detector.detect(shown(scene))
    assert len(faces) == 1
    left, _, right, _ = pixels(faces[0], scene.size)
    assert right - left == pytest.approx(40, rel=0.25)


@pytest.mark.parametrize("crop", [(150, 50, 300, 200), (165, 60, 285, 185)])
def test_a_face_that_fills_the_picture_is_found(
    detector: FaceDetector, astronaut: Image.Image, crop: tuple[int, int, int, int]
) -> None:
    faces = detector.detect(shown(astronaut.crop(crop).resize((600, 600))))
    assert len(faces) == 1
    assert faces[0].box[2] - faces[0].box[0] > 0.5


def test_size_alone_changes_nothing(detector: FaceDetector, astronaut: Image.Image) -> None:
    places = [
        detector.detect(shown(astronaut.resize((side, side))))[0].box for side in (128, 300, 1500)
    ]
    for place in places[1:]:
        assert same_place(place, places[0]) > 0.7


def test_plain_and_noisy_pictures_have_none(detector: FaceDetector) -> None:
    draw = np.random.default_rng(5)
    noise = draw.integers(0, 256, (480, 640, 3)).astype(np.uint8)
    pictures = [Image.new("RGB", (640, 480), color) for color in ("black", "white", "peru")]
    for picture in (*pictures, Image.fromarray(noise)):
        assert detector.detect(shown(picture)) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (30000, 10), (10, 30000), (1, 5000), (449, 31)])
def test_odd_sizes_do_no_harm(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert detector.detect(shown(Image.new("RGB", size, "peru"))) == []


def test_of_a_crowd_only_so_many_are_looked_at(
    detector: FaceDetector, astronaut: Image.Image
) -> None:
    # given more faces than the bound
    crowd, head = Image.new("RGB", (930, 670), "grey"), astronaut.crop(HEAD).resize((110, 110))
    for number in range(35):
        crowd.paste(head, (20 + 130 * (number % 7), 20 + 130 * (number // 7)))
    # then there are as many as the bound allows
    assert len(detector.detect(shown(crowd))) == MOST_PROPOSALS

"""The parts of the face detector: anchors, boxes and views."""

import numpy as np
import pytest
from PIL import Image

from photogate_vision.faces.boxes import Scored, merged, without_inner
from photogate_vision.faces.network import anchor_centres, decoded
from photogate_vision.faces.views import close_up, letterbox, values, whole


def test_anchors_lie_in_the_middle_of_their_places() -> None:
    centres = anchor_centres(128, 128, ((8, 2), (16, 6)))
    assert centres.shape == (896, 2)
    assert centres[:3].tolist() == [[4, 4], [4, 4], [12, 4]]
    assert centres[32].tolist() == [4, 12]
    assert centres[512:519].tolist() == [[8, 8]] * 6 + [[24, 8]]
    assert len(anchor_centres(192, 192, ((4, 1),))) == 2304
    assert anchor_centres(64, 320, ((4, 1),))[-1].tolist() == [318, 62]


def scored(*rows: tuple[float, ...]) -> Scored:
    table = np.array(rows, np.float32)
    return Scored(boxes=table[:, :4], scores=table[:, 4])


def test_boxes_of_one_face_become_their_weighted_mean() -> None:
    found = merged(
        scored((0, 0, 10, 10, 0.3), (100, 0, 110, 10, 0.5), (2, 0, 12, 10, 0.9)),
        overlap_from=0.3,
    )
    assert found.boxes.tolist() == [pytest.approx([1.5, 0, 11.5, 10]), [100, 0, 110, 10]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])


def test_nothing_merges_to_nothing() -> None:
    nothing = Scored(boxes=np.empty((0, 4), np.float32), scores=np.empty(0, np.float32))
    assert len(merged(nothing, overlap_from=0.3)) == 0
    assert len(without_inner(nothing, inside_from=0.6)) == 0


def test_a_box_inside_a_better_one_is_dropped() -> None:
    found = without_inner(
        scored((2, 2, 6, 6, 0.8), (0, 0, 10, 10, 0.9), (6, 0, 16, 10, 0.7), (0, 0, 20, 20, 0.6)),
        inside_from=0.6,
    )
    assert found.boxes.tolist() == [[0, 0, 10, 10], [6, 0, 16, 10], [0, 0, 20, 20]]


@pytest.mark.parametrize("size", [(600, 400), (400, 600), (97, 33), (1200, 7)])
def test_views_know_the_way_back(size: tuple[int, int]) -> None:
    # given a black picture with a white square
    picture = Image.new("RGB", size)
    width, height = size
    square = (width // 2, height // 4, width // 2 + width // 4, height // 4 + height // 2)
    picture.paste("white", square)
    views = [
        whole(picture, side=320, multiple=32),
        letterbox(picture, side=128),
        close_up(picture, np.array(square, np.float32), scale=1.8, side=128),
        close_up(picture, np.array([-9, -9, 20, 20], np.float32), scale=9, side=128),
    ]
    for view in views:
        # when the square is found in a view
        rows, columns = np.nonzero(np.asarray(view.image)[:, :, 0] > 127)
        if not len(rows):
            continue
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        # then it comes back to its place, but for a pixel of the view and one of the picture
        region = view.region
        step = max(
            (region[2] - region[0]) / view.image.width, (region[3] - region[1]) / view.image.height
        )
        back = view.in_picture(np.array([edges], np.float32))[0]
        assert np.abs(back - np.clip(square, 0, None)).max() <= 1 + 1.5 * step


def test_pixels_become_numbers_around_zero() -> None:
    view = letterbox(Image.new("RGB", (100, 50), (255, 0, 51)), side=128)
    numbers = values(view)
    assert numbers.shape == (1, 3, 128, 128)
    assert numbers[0, :, 64, 64] == pytest.approx([1, -1, -0.6])
    assert numbers[0, :, 2, 64].tolist() == [-1, -1, -1]


def test_numbers_become_boxes_around_their_anchors() -> None:
    # given what a network says about three anchors: one plain, one shifted, one without area
    raw = np.zeros((3, 16), np.float32)
    raw[:, :4] = [[0, 0, 10, 20], [3, -2, 10, 20], [0, 0, -1, 20]]
    anchors = np.array([[50, 60], [50, 60], [50, 60]], np.float32)
    # when they are decoded
    found = decoded(raw, np.array([0.9, 0.8, 0.7], np.float32), anchors)
    # then what has no area is gone
    assert found.boxes.tolist() == [[45, 50, 55, 70], [48, 48, 58, 68]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8])

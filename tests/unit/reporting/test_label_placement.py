"""Labels beside points: near them, within bounds, never on each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfbench.reporting.plots import label_centres

BOUNDS = (0.0, 0.0, 300.0, 200.0)


def boxes(centres, sizes):
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def overlaps(found) -> bool:
    first, second = found[:, None], found[None]
    together = ((first[..., :2] < second[..., 2:]) & (first[..., 2:] > second[..., :2])).all(axis=2)
    return bool((together & ~np.eye(len(found), dtype=bool)).any())


def test_a_lonely_label_stands_at_the_right_of_its_point():
    (centre,) = label_centres(np.array([[100.0, 100.0]]), np.array([[40.0, 8.0]]), BOUNDS)
    assert centre == pytest.approx([100 + 3 + 20, 100])


def test_at_the_right_edge_a_label_goes_elsewhere():
    (centre,) = label_centres(np.array([[299.0, 100.0]]), np.array([[40.0, 8.0]]), BOUNDS)
    assert centre[0] + 20 <= 300


def test_a_label_that_fits_nowhere_is_left_out():
    assert np.isnan(label_centres(np.array([[100.0, 100.0]]), np.array([[400.0, 8.0]]), BOUNDS)).all()


def test_a_label_leaves_a_neighbouring_point_free():
    points = np.array([[100.0, 100.0], [120.0, 100.0]])
    centres = label_centres(points, np.array([[40.0, 8.0], [10.0, 8.0]]), BOUNDS)
    left, bottom, right, top = boxes(centres, np.array([[40.0, 8.0], [10.0, 8.0]]))[0]
    assert not (left < 120 < right and bottom < 100 < top)


@settings(max_examples=40)
@given(arrays(np.float64, (25, 2), elements=st.floats(5, 195)), arrays(np.float64, 25, elements=st.floats(10, 120)))
def test_no_two_labels_overlap_and_all_are_within_bounds(points, widths):
    sizes = np.stack([widths, np.full(25, 8.0)], axis=1)
    centres = label_centres(points, sizes, BOUNDS)
    placed = ~np.isnan(centres[:, 0])
    found = boxes(centres[placed], sizes[placed])
    assert placed[0]
    assert not overlaps(found)
    assert (found[:, :2] >= 0).all()
    assert (found[:, 2:] <= [300, 200]).all()

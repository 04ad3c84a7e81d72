"""Principal components of small tables, by hand and by another library."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfbench.analysis.embedding_statistics import principal_components

CROSS = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=np.float32)


def test_variance_along_a_cross_is_nine_to_one():
    found = principal_components(CROSS)
    assert found.explained == pytest.approx([0.9, 0.1])
    assert found.directions == pytest.approx(np.eye(2))
    assert found.coordinates == pytest.approx(CROSS)


def test_the_largest_entry_of_each_direction_is_positive():
    directions = principal_components(-CROSS @ np.array([[0.6, 0.8], [-0.8, 0.6]])).directions
    largest = np.abs(directions).argmax(axis=1)
    assert (directions[np.arange(2), largest] > 0).all()


def test_items_that_are_all_alike_have_no_variance_to_explain():
    found = principal_components(np.ones((4, 3)))
    assert found.explained.tolist() == [0, 0, 0]
    assert not found.coordinates.any()


def test_it_agrees_with_scikit_learn():
    pca = pytest.importorskip("sklearn.decomposition", reason="another implementation to compare with").PCA
    vectors = np.random.default_rng(0).normal(size=(60, 5)) @ np.diag([5, 4, 3, 2, 1])
    theirs = pca(5).fit(vectors)
    ours = principal_components(vectors)
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_)
    assert np.abs(ours.coordinates) == pytest.approx(np.abs(theirs.transform(vectors)))


@given(arrays(np.float64, (6, 3), elements=st.floats(-100, 100)))
def test_coordinates_keep_all_distances(vectors):
    places = principal_components(vectors).coordinates
    before = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    assert np.linalg.norm(places[:, None] - places[None], axis=2) == pytest.approx(before, abs=1e-6)

"""Mean scores by group of users: hand-computed, with holes, with huge numbers, in any blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfbench.errors import ModelError
from cfbench.inference.rank import MOST_GROUPS, ScoreMeans


def gathered(scores, block=7):
    """Add the rows of ``scores`` in the wanted order, ``block`` at a time."""
    means = ScoreMeans(*scores.shape)
    for start in range(0, len(scores), block):
        means.add(scores[means.turns[start : start + block]], "Model.score_items")
    return means.values()


def test_with_few_users_each_is_a_group():
    scores = np.array([[1, 2], [3, 4]], dtype=np.float32)
    assert gathered(scores).tolist() == [[1, 2], [3, 4]]


def test_user_21_joins_the_first_user():
    scores = np.arange(21, dtype=np.float32)[:, None]
    assert gathered(scores)[:, 0].tolist() == [10, *range(1, 20)]  # (0 + 20) / 2, then 1 to 19 alone


def test_holes_are_left_out_and_a_group_without_a_score_has_no_mean():
    scores = np.ones((40, 3), dtype=np.float32)
    scores[20:] = 3
    scores[0, 0] = np.nan  # user 20, in the same group, says 3
    scores[[1, 21], 1] = np.nan
    means = gathered(scores)
    assert means[0].tolist() == [3, 2, 2]
    assert np.isnan(means[1]).tolist() == [False, True, False]
    assert means[2:].tolist() == [[2, 2, 2]] * 18


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_overflow_when_added_have_a_mean(dtype):
    lowest = np.finfo(np.float32).min
    assert gathered(np.full((60, 1), lowest, dtype=dtype))[:, 0].tolist() == [lowest] * MOST_GROUPS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_that_cancel_are_still_found(dtype):
    scores = np.zeros((40, 2), dtype=dtype)
    scores[0, 1], scores[20, 1] = np.inf, -np.inf
    with pytest.raises(ModelError, match=r"Model\.score_items must return finite values"):
        gathered(scores)


def test_double_precision_beyond_single_is_found_although_its_sum_is_small():
    scores = np.zeros((40, 1))
    scores[0], scores[20] = 1e300, -1e300
    with pytest.raises(ModelError, match="beyond float32"):
        gathered(scores)


def test_nobody_asked_makes_no_groups():
    assert ScoreMeans(0, 4).values().shape == (0, 4)


@given(st.integers(1, 90), st.integers(1, 60), st.integers(0, 9))
def test_blocks_change_nothing_but_rounding(n_users, block, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_users, 3)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.05] = np.nan
    expected = np.full((min(n_users, MOST_GROUPS), 3), np.nan)
    for group in range(len(expected)):
        for item in range(3):
            said = [score for score in scores[group::MOST_GROUPS, item] if not np.isnan(score)]
            if said:
                expected[group, item] = np.mean(said, dtype=np.float64)
    np.testing.assert_allclose(gathered(scores, block), expected, rtol=1e-4, atol=1e-6)

"""The mean score of an item is that over users, however they were dealt out in groups."""

import numpy as np
import pytest

from cfbench.analysis.view import mean_item_scores
from cfbench.inference.output import ModelOutput


def test_groups_weigh_as_many_users_as_they_have():
    # Three users in two groups: users 0 and 2 say 1 and 3, so 2; user 1 says 5. All say the mean (1 + 3 + 5) / 3.
    means = np.array([[2.0, np.nan], [5.0, 7.0]], dtype=np.float32)
    answers = ModelOutput(None, np.zeros((3, 1), dtype=np.int32), score_means=means)
    assert mean_item_scores(answers).tolist() == [pytest.approx(3.0), 7.0]


def test_an_item_without_any_score_has_no_mean():
    means = np.full((2, 1), np.nan, dtype=np.float32)
    assert np.isnan(mean_item_scores(ModelOutput(None, np.zeros((3, 1), dtype=np.int32), score_means=means))).all()

import numpy as np
import pytest

from cfbench.model import FitContext
from cfbench.testing import random_ratings
from cfbench_implicit.als import ImplicitALS
from cfbench_implicit.bpr import ImplicitBPR
from cfbench_implicit.lmf import ImplicitLMF


@pytest.mark.parametrize("model", [ImplicitALS, ImplicitBPR, ImplicitLMF])
def test_embeddings_add_up_to_the_score_up_to_constants(model):
    train = random_ratings()
    fitted = model(n_factors=4)
    fitted.fit(train, FitContext(seed=0))
    shown = fitted.embeddings()
    assert shown.users.shape == (train.n_users, 4)
    scores = shown.users @ shown.items.T
    scores += 0 if shown.item_biases is None else shown.item_biases
    scores += 0 if shown.user_biases is None else shown.user_biases[:, None]
    users = np.arange(train.n_users, dtype=np.int32)
    np.testing.assert_allclose(scores, fitted.score_items(users), rtol=1e-5, atol=1e-6)


def test_what_nothing_was_learned_of_has_a_row_of_zeros():
    train = random_ratings()
    fitted = ImplicitALS(n_factors=4, positive_from=1.0)  # five stars alone
    fitted.fit(train, FitContext(seed=0))
    shown = fitted.embeddings()
    without = np.setdiff1d(np.arange(train.n_users), train.users[train.ratings == 5])
    assert len(without)
    assert not shown.users[without].any()
    assert np.isfinite(shown.items).all()

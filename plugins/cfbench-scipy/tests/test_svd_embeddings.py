import numpy as np

from cfbench.model import FitContext
from cfbench.testing import random_ratings
from cfbench_scipy.truncated_svd import TruncatedSVD


def test_embeddings_add_up_to_the_prediction():
    train = random_ratings()
    model = TruncatedSVD(n_factors=4)
    model.fit(train, FitContext(seed=0))
    shown = model.embeddings()
    ratings = shown.users @ shown.items.T + shown.user_biases[:, None] + shown.item_biases + shown.offset
    users = np.arange(train.n_users, dtype=np.int32)
    np.testing.assert_allclose(ratings, model.score_items(users), rtol=1e-5)
    assert shown.items.shape == (train.n_items, 4)

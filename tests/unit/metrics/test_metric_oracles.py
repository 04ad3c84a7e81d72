"""Ranking metrics against independent implementations, on random lists with every kind of edge."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from cfbench.metrics.ranking import NDCG, Precision, Recall

N_USERS, N_ITEMS = 40, 25


@pytest.fixture(scope="module")
def drawn():
    """Training rows that make every item known, random test rows, and random lists of up to ten items."""
    rng = np.random.default_rng(3)
    train = [(N_USERS, item, 3.0) for item in range(N_ITEMS)]
    test = [
        (user, int(item), float(rng.integers(1, 6)))
        for user in range(N_USERS)
        for item in rng.choice(N_ITEMS + 5, size=rng.integers(1, 15), replace=False)
    ]
    lists = [rng.choice(N_ITEMS, size=rng.integers(0, 11), replace=False).tolist() for _ in range(N_USERS)]
    return train, test, lists


@pytest.fixture(scope="module")
def ranx():
    """The library, interpreted: compiling it takes half a minute, the few lists here no time."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its dependencies warn about on import is not ours
        import numba

        patch.setattr(numba.config, "DISABLE_JIT", True)
        import ranx

        yield ranx


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ndcg_recall_and_precision_agree_with_ranx(make_evaluation, drawn, ranx, k):
    train, test, lists = drawn
    truth = {f"u{user}": {} for user in range(N_USERS)}
    for user, item, rating in test:
        if rating >= 4:
            truth[f"u{user}"][f"i{item}"] = 1
    truth = {user: liked for user, liked in truth.items() if liked}
    run = {
        # ranx knows no empty list: an item that does not exist stands for it
        user: {f"i{item}": 1.0 - place / 100 for place, item in enumerate(lists[int(user[1:])])} or {"none": 1.0}
        for user in truth
    }
    names = [f"ndcg@{k}", f"recall@{k}", f"precision@{k}"]
    theirs = ranx.evaluate(ranx.Qrels(truth), ranx.Run(run), names)
    evaluation = make_evaluation(train, test, lists=lists, k=10)
    ours = [metric(k=k).measure(evaluation).value for metric in (NDCG, Recall, Precision)]
    assert ours == pytest.approx([float(theirs[name]) for name in names])


def test_ndcg_of_a_complete_order_agrees_with_scikit_learn(make_evaluation):
    rng = np.random.default_rng(0)
    order = rng.permutation(N_ITEMS)
    liked = rng.random(N_ITEMS) < 0.3
    train = [(1, item, 3.0) for item in range(N_ITEMS)]
    test = [(0, item, 5.0 if liked[item] else 1.0) for item in range(N_ITEMS)]
    scores = np.empty(N_ITEMS)
    scores[order] = np.arange(N_ITEMS, 0, -1)
    evaluation = make_evaluation(train, test, lists=[order.tolist()], k=N_ITEMS)
    for k in (1, 5, N_ITEMS):
        theirs = ndcg_score([liked.astype(float)], [scores], k=k)
        assert NDCG(k=k).measure(evaluation).value == pytest.approx(theirs)

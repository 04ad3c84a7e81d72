"""Ranking metrics against independent implementations, on random lists and on every kind of edge.

All calls of ranx stand in this module: it is slow to import.
"""

import warnings

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.ranking import MAP, MRR, NDCG, HitRate, Precision, Recall
from cfbench.inference.output import ModelOutput
from cfbench.inference.rank import rank_items
from cfbench.resources.cost import Clock

N_USERS, N_ITEMS = 40, 25
OURS = {"ndcg": NDCG, "recall": Recall, "precision": Precision, "hit_rate": HitRate, "mrr": MRR, "map": MAP}
RELEVANT_FROM = 4
EVERY_ITEM = [(100, item, 3) for item in range(7)]  # training rows that make items 0 to 6 known

EDGES = {
    "nobody is hit": ([(0, 1, 5), (1, 2, 5)], [[3, 4], [5]]),
    "every place is a hit, more relevant items than places": ([(0, item, 5) for item in range(7)], [[6, 2, 4, 0, 1]]),
    "the last place is the only hit": ([(0, 6, 4)], [[0, 1, 2, 3, 6]]),
    "no relevant item": ([(0, 1, 3.5), (1, 2, 1)], [[1, 2], [2, 1]]),
    "some users without a relevant item": ([(0, 1, 5), (1, 1, 2), (2, 3, 4)], [[1], [1], [0, 3]]),
    "relevant and other items in one list": ([(0, 0, 1), (0, 1, 5), (0, 2, 2), (0, 3, 5)], [[0, 1, 2, 3]]),
    "empty lists": ([(0, 1, 5), (1, 2, 5)], [[], [2]]),
    "only empty lists": ([(0, 1, 5)], [[]]),
    "relevant items outside training": ([(0, 1, 5), (0, 8, 5), (1, 9, 5)], [[1, 0], [0, 1]]),
    "a relevant pair twice": ([(0, 1, 5), (0, 1, 4), (0, 2, 5), (1, 3, 4), (1, 3, 2)], [[1, 4], [0, 3]]),
    "the rating that just counts": ([(0, 1, 4), (0, 2, 3.9)], [[2, 1]]),
}


@pytest.fixture(scope="module")
def ranx():
    """The library, interpreted: compiling it takes half a minute, the few lists here no time."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its dependencies warn about on import is not ours
        import numba

        patch.setattr(numba.config, "DISABLE_JIT", True)
        import ranx

        yield ranx


def relevant_by_user(test):
    """The relevant items of every user who has one, as ranx wants them."""
    truth = {}
    for user, item, rating in test:
        if rating >= RELEVANT_FROM:
            truth.setdefault(f"u{user}", {})[f"i{item}"] = 1
    return truth


def run_of(evaluation, lists):
    """Lists, best first, as falling scores by user; users with an empty list are missing altogether."""
    return {
        f"u{user}": {f"i{item}": 1.0 - place / 100 for place, item in enumerate(items)}
        for user, items in zip(evaluation.test_user_positions.tolist(), lists, strict=True)
        if items
    }


def scores_by(ranx, truth, run, k):
    """What ranx says of every user in ``truth``, by metric; users missing in ``run`` have an empty list there."""
    if not truth:
        return {name: {} for name in OURS}
    if not run:
        return {name: dict.fromkeys(truth, 0.0) for name in OURS}  # ranx refuses a run of nothing
    names = [f"{name}@{k}" for name in OURS]
    theirs = ranx.Run(run)
    ranx.evaluate(ranx.Qrels(truth), theirs, names, make_comparable=True)
    found = {name: {user: float(score) for user, score in theirs.scores[f"{name}@{k}"].items()} for name in OURS}
    # ranx averages precision over all relevant items; over at most k of them it is
    found["map"] = {user: score * len(truth[user]) / min(k, len(truth[user])) for user, score in found["map"].items()}
    return found


def assert_equal(ranx, evaluation, test, run, k):
    truth, people = relevant_by_user(test), evaluation.test_user_positions.tolist()
    theirs = scores_by(ranx, truth, run, k)
    for name, metric in OURS.items():
        measured = apply_metric(metric(k=k), evaluation)
        ours = dict(zip((f"u{user}" for user in people), measured.per_user.tolist(), strict=True))
        counted = {user: score for user, score in ours.items() if not np.isnan(score)}
        assert counted == pytest.approx(theirs[name], abs=1e-6), name
        if truth:
            assert measured.value == pytest.approx(np.mean(list(theirs[name].values())), abs=1e-6), name
        else:
            assert np.isnan(measured.value), name


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_random_lists_have_the_values_of_ranx(make_evaluation, ranx, seed, k):
    rng = np.random.default_rng(seed)
    train = [(N_USERS, item, 3.0) for item in range(N_ITEMS)]
    test = [
        (user, int(item), float(rng.integers(1, 6)))
        for user in range(N_USERS)
        for item in rng.choice(N_ITEMS + 5, size=rng.integers(1, 15), replace=False)
    ]
    lists = [rng.choice(N_ITEMS, size=rng.integers(0, 11), replace=False).tolist() for _ in range(N_USERS)]
    evaluation = make_evaluation(train, test, lists=lists, k=10)
    assert_equal(ranx, evaluation, test, run_of(evaluation, lists), k)


@pytest.mark.parametrize("k", [1, 2, 5, 10])
@pytest.mark.parametrize("edge", EDGES)
def test_edges_have_the_values_of_ranx(make_evaluation, ranx, edge, k):
    test, lists = EDGES[edge]
    evaluation = make_evaluation(EVERY_ITEM, test, lists=lists, k=10)  # k beyond every list is padding
    assert_equal(ranx, evaluation, test, run_of(evaluation, lists), k)


@pytest.mark.parametrize("k", [1, 4, 10])
@pytest.mark.parametrize("levels", [1, 2, 1000])
def test_lists_cut_from_tied_scores_have_the_values_that_ranx_gives_to_all_candidates(make_evaluation, ranx, levels, k):
    # With one level all scores tie. Users 0 to 7 have seen all but the items below them: fewer than 10 candidates.
    rng = np.random.default_rng(levels)
    train = [(user, user, 3) for user in range(N_ITEMS)]  # first, so that codes are the numbers here
    train += [(user, item, 3) for user in range(8) for item in range(user + 1, N_ITEMS)]
    test = [(user, int(item), 5) for user in range(N_ITEMS) for item in rng.choice(N_ITEMS, size=4, replace=False)]
    scores = rng.integers(0, levels, size=(N_ITEMS + 1, N_ITEMS)).astype(np.float32)

    class Tied:
        def score_items(self, users):
            return scores[users]

    split = make_evaluation(train, test).split
    codes = split.user_coding.codes(split.test_user_positions)
    ranked = rank_items(Tied(), split.train, codes, k=10, tie_seed=5, clock=Clock())
    luck = np.random.default_rng(5).permutation(N_ITEMS) / N_ITEMS  # the one order in which equals are preferred
    seen = {(user, item) for user, item, _ in train}
    candidates = {
        f"u{user}": {
            f"i{item}": float(scores[user, item] - luck[item]) for item in range(N_ITEMS) if (user, item) not in seen
        }
        for user in range(1, N_ITEMS)  # user 0 has seen everything
    }
    assert_equal(ranx, Evaluation(split, ModelOutput(None, ranked.lists)), test, candidates, k)


def test_ndcg_of_a_complete_order_agrees_with_scikit_learn(make_evaluation):
    rng = np.random.default_rng(0)
    order = rng.permutation(N_ITEMS)
    relevant = rng.random(N_ITEMS) < 0.3
    train = [(1, item, 3.0) for item in range(N_ITEMS)]
    test = [(0, item, 5.0 if relevant[item] else 1.0) for item in range(N_ITEMS)]
    scores = np.empty(N_ITEMS)
    scores[order] = np.arange(N_ITEMS, 0, -1)
    evaluation = make_evaluation(train, test, lists=[order.tolist()], k=N_ITEMS)
    for k in (1, 5, N_ITEMS):
        theirs = ndcg_score([relevant.astype(float)], [scores], k=k)
        assert apply_metric(NDCG(k=k), evaluation).value == pytest.approx(theirs)

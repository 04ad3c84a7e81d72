"""Asking for lists: masking, ties, padding, chunks, memory."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest

from cfbench.errors import ModelError
from cfbench.inference import rank as rank_module
from cfbench.inference.rank import rank_items
from cfbench.model.ratings import Ratings, RatingScale
from cfbench.resources.cost import Clock


def training(pairs, n_users, n_items):
    users, items = (np.array(column, dtype=np.int32) for column in zip(*pairs, strict=True))
    stars = np.full(len(users), 3, dtype=np.float32)
    return Ratings(users, items, stars, None, n_users, n_items, RatingScale(1, 5))


class Scores:
    """A model whose scores are the rows of a table; the last row is the unknown user's."""

    def __init__(self, table, dtype=np.float32):
        self.table = np.asarray(table, dtype=dtype)
        self.asked = []

    def score_items(self, users):
        self.asked.append(users.tolist())
        return self.table[users]


class Predictor:
    """The same table behind ``predict``."""

    def __init__(self, table):
        self.table = np.asarray(table, dtype=np.float32)

    def predict(self, users, items):
        return self.table[users, items]


def chunks_of(memory_cap):
    """Let a chunk take so many bytes, whatever the catalogue."""
    return patch.multiple(rank_module, MEMORY_CAP=memory_cap, LARGE_MEMORY_CAP=0)


def rank(model, train, users, k=2, tie_seed=0, **options):
    codes = np.array(users, dtype=np.int32)
    return rank_items(model, train, codes, k=k, tie_seed=tie_seed, clock=Clock(), **options).lists


def reference(table, train, users, k, tie_seed):
    """Sort one user after the other in plain Python."""
    luck = np.random.default_rng(tie_seed).permutation(train.n_items)
    seen = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    lists = []
    for user in users:
        scored = [(-score, luck[item], item) for item, score in enumerate(table[user]) if not np.isnan(score)]
        best = [item for _, _, item in sorted(scored) if (user, item) not in seen]
        lists.append((best + [train.n_items] * k)[:k])
    return lists


TABLE = [[4, 3, 2, 1], [1, 2, 3, 4], [0, 9, 9, 5]]
TRAIN = training([(0, 0), (0, 1), (1, 2)], n_users=2, n_items=4)


@pytest.mark.parametrize("kind", [Scores, Predictor])
def test_lists_hold_the_best_unseen_items_best_first(kind):
    assert rank(kind(TABLE), TRAIN, [0, 1]).tolist() == [[2, 3], [3, 1]]


@pytest.mark.parametrize("kind", [Scores, Predictor])
def test_an_unknown_user_is_offered_the_whole_catalogue(kind):
    lists = rank(kind([*TABLE[:2], [9, 1, 0, 8]]), TRAIN, [2, 0, 2])
    assert lists.tolist() == [[0, 3], [2, 3], [0, 3]]


def test_a_code_that_occurs_often_is_scored_once():
    model = Scores(TABLE)
    rank(model, TRAIN, [2, 2, 0, 2, 0])
    assert model.asked == [[0, 2]]


def test_lists_end_in_the_unknown_code_where_candidates_run_out():
    assert rank(Scores(TABLE), TRAIN, [0], k=3).tolist() == [[2, 3, 4]]
    assert rank(Scores(TABLE), TRAIN, [0], k=9).tolist() == [[2, 3] + [4] * 7]


def test_a_user_who_has_seen_everything_gets_an_empty_list():
    train = training([(0, 0), (0, 1)], n_users=1, n_items=2)
    assert rank(Scores([[1, 2], [1, 2]]), train, [0]).tolist() == [[2, 2]]


def test_items_of_score_nan_are_not_listed_and_a_row_of_nan_is_an_empty_list():
    model = Scores([[np.nan, 1, np.nan, 7], [np.nan] * 4, [1, 2, np.nan, 0]])
    assert rank(model, TRAIN, [0, 1, 2], k=3).tolist() == [[3, 4, 4], [4, 4, 4], [1, 0, 3]]


def test_nan_that_signals_is_never_listed_and_costs_no_other_item_its_place():
    table = np.array([[5, 1, 2, 3], [7, 1, 2, 0], [1, 2, 3, 0]], dtype=np.float32)
    table.view(np.uint32)[:, 1] = 0x7FA00001
    plain = np.where(np.isnan(table), np.float32(np.nan), table)
    assert rank(Scores(table), TRAIN, [0, 1, 2], k=3).tolist() == rank(Scores(plain), TRAIN, [0, 1, 2], k=3).tolist()


def test_a_matrix_of_numpy_ranks_like_the_array_that_it_is():
    table = np.array([[5, 1, 2, 3], [7, 1, 2, 0], [1, 2, 3, 0]], dtype=np.float32)

    class Matrix(Scores):
        def score_items(self, users):
            return super().score_items(users).view(np.matrix)

    assert rank(Matrix(table), TRAIN, [0, 1, 2], k=3).tolist() == rank(Scores(table), TRAIN, [0, 1, 2], k=3).tolist()


def test_the_lowest_finite_score_still_ranks():
    lowest = np.finfo(np.float32).min
    train = training([(0, 0)], n_users=1, n_items=3)
    assert rank(Scores([[5, lowest, 2], [0, 0, 0]]), train, [0], k=3).tolist() == [[2, 1, 3]]


def test_double_precision_scores_are_not_rounded_into_ties():
    table = 1 + np.arange(50)[::-1] * 1e-12
    train = training([(0, 49)], n_users=1, n_items=50)
    assert rank(Scores([table, table], np.float64), train, [0], k=3).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("k", [1, 3, 10, 60])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_lists_equal_a_plain_sort_with_any_number_of_ties(k, levels):
    rng = np.random.default_rng(levels)
    pairs = sorted({(int(u), int(i)) for u, i in zip(rng.integers(0, 30, 300), rng.integers(0, 50, 300), strict=True)})
    train = training(pairs, n_users=30, n_items=50)
    table = rng.integers(0, levels, size=(31, 50)).astype(np.float32)
    table[rng.random(table.shape) < 0.1] = np.nan
    users = rng.permutation(31).tolist()
    assert rank(Scores(table), train, users, k, tie_seed=7).tolist() == reference(table, train, users, k, 7)


@pytest.mark.parametrize("k", [1, 5, 12, 130])
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_with_and_without_ties_may_lie_beside_one_another_in_any_layout(k, layout, dtype):
    rng = np.random.default_rng(k)
    pairs = sorted({(int(u), int(i)) for u, i in zip(rng.integers(0, 40, 900), rng.integers(0, 101, 900), strict=True)})
    train = training(pairs, n_users=40, n_items=101)
    table = rng.normal(size=(41, 101)).astype(dtype)
    table[::3] = np.round(table[::3])  # many equals, some at the floor
    table[1::6] = 0
    table[2::8, 7:] = -3  # fewer than a list above the others

    class Columns(Scores):
        def score_items(self, users):
            return np.asarray(super().score_items(users), order=layout)

    users = rng.permutation(41).tolist()
    assert rank(Columns(table, dtype), train, users, k, tie_seed=3).tolist() == reference(table, train, users, k, 3)


def test_ties_are_broken_by_the_seed_and_not_by_code():
    train = training([(0, 0)], n_users=1, n_items=100)
    flat = Scores(np.ones((2, 100)))
    first, again, other = (rank(flat, train, [1], k=20, tie_seed=seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first != sorted(first)


def test_equal_scores_are_ordered_alike_for_all_models_and_users():
    train = training([(0, 0), (1, 1)], n_users=2, n_items=30)
    flat = rank(Scores(np.ones((3, 30))), train, [2], k=30)[0]
    other = rank(Scores(np.repeat([[5], [6], [7]], 30, axis=1)), train, [0, 1], k=29)
    assert other[0].tolist() == flat[flat != 0].tolist()
    assert other[1].tolist() == flat[flat != 1].tolist()


def test_newcomers_have_seen_nothing_and_each_gets_the_whole_catalogue():
    # User 2 and 3 are newcomers, 4 is the unknown user.
    table = [*TABLE[:2], [9, 1, 0, 8], [0, 1, 2, 3], [0, 0, 5, 6]]
    assert rank(Scores(table), TRAIN, [4, 2, 3, 0]).tolist() == [[3, 2], [0, 3], [3, 2], [2, 3]]


@pytest.mark.parametrize("memory_cap", [1, 10_000, 1 << 28])
def test_chunks_and_the_order_of_users_change_nothing(memory_cap):
    rng = np.random.default_rng(0)
    train = training([(user, user % 40) for user in range(60)], n_users=60, n_items=40)
    model = Scores(rng.integers(0, 5, size=(61, 40)))
    users = rng.permutation(61)
    usual = rank(model, train, np.arange(61), k=5)
    with chunks_of(memory_cap):
        assert rank(model, train, users, k=5).tolist() == usual[users].tolist()


@pytest.mark.parametrize("memory_cap", [1, 10_000, 1 << 28])
@pytest.mark.parametrize("kind", [Scores, Predictor])
def test_the_mean_scores_of_groups_of_users_come_with_the_lists(kind, memory_cap):
    train = training([(user, 0) for user in range(45)], n_users=45, n_items=3)
    table = np.arange(46 * 3).reshape(46, 3).astype(np.float32)
    users = np.array([45, 7, 3, 7, *range(10, 40)], dtype=np.int32)
    with chunks_of(memory_cap):
        means = rank_items(kind(table), train, users, k=1, tie_seed=0, clock=Clock()).score_means
    asked = table[np.unique(users)]  # 33 users: 13 groups of two, 7 of one
    expected = [asked[group::20].mean(axis=0) for group in range(20)]
    np.testing.assert_allclose(means, expected, rtol=1e-6)
    assert means.dtype == np.float32


def test_scores_that_the_model_shares_with_us_stay_as_they_are():
    train = training([(0, 0), (1, 1)], n_users=2, n_items=3)
    shared = np.broadcast_to(np.array([3, 2, 1], dtype=np.float32), (2, 3))

    class Popular:
        def score_items(self, users):
            return shared[: len(users)]

    assert rank(Popular(), train, [0, 1]).tolist() == [[1, 2], [0, 2]]
    assert shared.tolist() == [[3, 2, 1]] * 2


@pytest.mark.parametrize(("n_items", "most"), [(1_000, 1048), (30_000, 64), (1_000_000, 8)])
def test_a_large_catalogue_gets_64_users_a_chunk_as_long_as_memory_allows(n_items, most):
    asked = []
    train = training([(0, 0), (1, 1)], n_users=2, n_items=n_items)

    class Noting:
        def score_items(self, users):
            asked.append(len(users))
            return np.zeros((len(users), n_items), dtype=np.float32)

    with patch.object(
        rank_module, "_top_k", lambda scores, *_: np.zeros((len(scores), 1))
    ):  # scores alone are of interest
        rank(Noting(), train, np.arange(most + 1), k=1)
    assert asked == [most, 1]


def test_memory_stays_near_the_cap_even_when_every_score_ties():
    n_users, n_items = 2000, 1000
    train = training([(user, user % n_items) for user in range(n_users)], n_users, n_items)

    class Flat:
        def score_items(self, users):
            return np.zeros((len(users), n_items), dtype=np.float32)

    tracemalloc.start()
    try:
        with chunks_of(4 << 20):
            rank(Flat(), train, np.arange(n_users), k=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20, "4 MiB of chunk, and the temporaries of one block"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (np.zeros((1, 3), dtype=np.float32), r"score_items must return an array of shape \(1, 4\), got \(1, 3\)"),
        (np.zeros((1, 4), dtype=np.int64), "floats, got dtype int64"),
        (np.array([[1, np.inf, 0, 0]]), "infinite"),
        (np.array([[1, -np.inf, 0, 0]]), "infinite"),
    ],
)
def test_broken_scores_are_the_models_failure(answer, complaint):
    class Broken:
        def score_items(self, users):
            return answer

    with pytest.raises(ModelError, match=complaint):
        rank(Broken(), TRAIN, [0])


def test_a_model_that_can_neither_score_nor_predict_is_told_what_to_add():
    with pytest.raises(ModelError, match=r"object cannot rank items.*score_items\(users\) or predict"):
        rank(object(), TRAIN, [0])


def test_only_the_models_own_time_is_counted():
    clock = Clock()
    users = np.array([0, 1], dtype=np.int32)
    rank_items(Scores(TABLE), TRAIN, users, k=2, tie_seed=0, clock=clock)
    assert list(clock.wall) == ["predict"]


def test_lists_of_no_length_are_refused():
    with pytest.raises(ValueError, match="k of at least 1"):
        rank(Scores(TABLE), TRAIN, [0], k=0)

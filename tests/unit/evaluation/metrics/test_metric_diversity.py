"""Intra-list diversity, by hand and against every pair."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from cfbench.errors import RunError
from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics import beyond_accuracy
from cfbench.evaluation.metrics.beyond_accuracy import Diversity, EmbeddingDiversity

# Users of item 0: 0-4, of item 1: 0-2, of items 2 and 3: user 0.
TRAIN = [(user, 0, 3) for user in range(5)] + [(user, 1, 3) for user in range(3)] + [(0, 2, 3), (0, 3, 3)]
TEST = [(4, 1, 4), (5, 0, 4), (6, 0, 1)]


def test_diversity_is_one_minus_the_mean_cosine_of_pairs_by_common_users(make_evaluation):
    # cos(1, 2) = 1 / sqrt(3 * 1). A list of one item has no pair, an empty one neither.
    measured = apply_metric(Diversity(k=2), make_evaluation(TRAIN, TEST, lists=[[1, 2], [0], []]))
    assert measured.value == pytest.approx(1 - 1 / np.sqrt(3))
    assert measured.denominators.tolist() == [1, 0, 0]


def test_three_items_have_three_pairs(make_evaluation):
    # cos(0,1) = 3 / sqrt(5 * 3), cos(0,2) = 1 / sqrt(5), cos(1,2) = 1 / sqrt(3).
    evaluation = make_evaluation(TRAIN, TEST[1:2], lists=[[2, 0, 1]], k=3)
    expected = 1 - (3 / np.sqrt(15) + 1 / np.sqrt(5) + 1 / np.sqrt(3)) / 3
    assert apply_metric(Diversity(k=3), evaluation).value == pytest.approx(expected)
    assert apply_metric(Diversity(k=2), evaluation).value == pytest.approx(1 - 1 / np.sqrt(5)), (
        "only the first two places"
    )


def test_items_of_the_same_users_have_no_diversity_and_of_different_users_full(make_evaluation):
    train = [(0, 0, 3), (0, 1, 5), (1, 2, 3)]
    same, different = (make_evaluation(train, [(5, 0, 4)], lists=[items]) for items in ([0, 1], [1, 2]))
    assert apply_metric(Diversity(k=2), same).value == pytest.approx(0)
    assert apply_metric(Diversity(k=2), different).value == 1


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(
    ("n_ratings", "unused"),
    [(200, "_common_users"), (20_000, "_by_lists")],  # few users an item: list by list; many: pair by pair
)
def test_every_way_and_chunk_size_gives_what_all_pairs_give(make_evaluation, monkeypatch, small, n_ratings, unused):
    monkeypatch.delattr(beyond_accuracy.CoRating, unused)
    if small:
        monkeypatch.setattr(beyond_accuracy, "_PAIRS_PER_CHUNK", 250)
        monkeypatch.setattr(beyond_accuracy, "_ADDITIONS_PER_CHUNK", 60)
        monkeypatch.setattr(beyond_accuracy, "_CELLS_PER_BLOCK", 64 * 12)
        monkeypatch.setattr(beyond_accuracy, "_WORDS_PER_CHUNK", 3)
        monkeypatch.setattr(beyond_accuracy, "_FACTORS_PER_CHUNK", 10)
    rng = np.random.default_rng(0)
    cells = np.unique(np.append(np.arange(12), rng.permutation(5000 * 12)[:n_ratings]))
    train = [(int(cell // 12), int(cell % 12), 3) for cell in cells] + [(user, 12, 3) for user in range(5000)]
    lists = [rng.permutation(12)[: rng.integers(0, 6)].tolist() for _ in range(30)]
    evaluation = make_evaluation(train, [(6000 + n, 0, 4) for n in range(30)], lists=lists, k=5)
    incidence = np.zeros((13, 5000))
    for user, item, _ in train:
        incidence[item, user] = 1
    factors = rng.standard_normal((13, 3)).astype(np.float32)
    evaluation = replace(evaluation, output=replace(evaluation.output, item_factors=factors))
    by_code = factors[evaluation.split.item_coding.code_of]
    for metric, vectors in ((Diversity(k=5), incidence), (EmbeddingDiversity(k=5), by_code)):
        cosines = cosine_similarity(vectors)
        expected = [
            1 - cosines[np.ix_(items, items)][np.triu_indices(len(items), 1)].mean()
            for items in lists
            if len(items) > 1
        ]
        assert apply_metric(metric, evaluation).value == pytest.approx(np.mean(expected), rel=1e-6)


def embedded(make_evaluation, lists, factors, k=3):
    evaluation = make_evaluation(TRAIN, TEST[: len(lists)], lists=lists, k=k)
    output = replace(evaluation.output, item_factors=np.array(factors, dtype=np.float32))
    return apply_metric(EmbeddingDiversity(k=k), replace(evaluation, output=output))


def test_embeddings_are_compared_by_angle_whatever_their_length(make_evaluation):
    # cos of items 0 and 1: 0, of 0 and 2: -1, of 1 and 2: 0; mean -1/3.
    measured = embedded(make_evaluation, [[0, 1, 2], [0]], [[3, 0], [0, 1], [-2, 0], [0, 0]])
    assert measured.value == pytest.approx(1 + 1 / 3)
    assert measured.denominators.tolist() == [1, 0]


def test_an_embedding_of_zeros_is_like_no_other(make_evaluation):
    # cos(0, 3) = 0, cos(0, 1) = 1, cos(1, 3) = 0.
    assert embedded(make_evaluation, [[0, 3]], [[3, 0], [1, 0], [1, 1], [0, 0]], k=2).value == 1
    assert embedded(make_evaluation, [[0, 3, 1]], [[3, 0], [1, 0], [1, 1], [0, 0]]).value == pytest.approx(1 - 1 / 3)


def test_asking_for_embeddings_that_are_not_there_says_so(make_evaluation):
    with pytest.raises(RunError, match="embeddings"):
        apply_metric(EmbeddingDiversity(k=2), make_evaluation(TRAIN, TEST[:1], lists=[[0, 1]]))


def test_without_a_list_of_two_there_is_no_value(make_evaluation):
    assert np.isnan(apply_metric(Diversity(k=2), make_evaluation(TRAIN, TEST, lists=[[0], [], [1]])).value)

"""What must hold of metrics and rankings for any data."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfbench.data.dataset import Entities
from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.accuracy import MAE, RMSE, PredictionCoverage
from cfbench.evaluation.metrics.beyond_accuracy import (
    Calibration,
    Diversity,
    EmbeddingDiversity,
    MeanRating,
    Novelty,
    Serendipity,
)
from cfbench.evaluation.metrics.exposure import Coverage, Entropy, Gini, PopREO, PopRSP
from cfbench.evaluation.metrics.popularity import APLT, ARP, UPD, DeltaGAP, PopularityCorrelation
from cfbench.evaluation.metrics.ranking import NDCG, Precision, Recall
from cfbench.evaluation.metrics.strata import ColdItemStrata, ColdUserStrata, PopularityDeciles, UserActivity
from cfbench.evaluation.statistics.bootstrap import PerUser, Pooled
from cfbench.inference.rank import rank_items
from cfbench.resources.cost import Clock

K = 3
OF_LISTS = tuple(
    metric(k=K)
    for metric in (
        *(NDCG, Recall, Precision, ARP, APLT, Gini, Coverage, Entropy, PopREO, PopRSP, UPD),
        *(Diversity, EmbeddingDiversity, Novelty, MeanRating, Calibration, Serendipity),
    )
)
METRICS = (RMSE(), MAE(), PredictionCoverage(), PopularityCorrelation(), *OF_LISTS)
BOUNDS = {
    **dict.fromkeys(
        ("prediction-coverage", "NDCG@3", "Recall@3", "Precision@3", "APLT@3", "Gini@3", "coverage@3"), (0, 1)
    ),
    **dict.fromkeys(("PopREO@3", "PopRSP@3", "UPD@3", "diversity@3", "serendipity@3"), (0, 1)),
    **{"ARP@3": (1, 8), "entropy@3": (0, np.log2(12)), "novelty@3": (0, 3), "mean-rating@3": (1, 5)},
    **{"diversity-embeddings@3": (0, 2), "calibration@3": (0, -np.log(0.01)), "popularity-correlation": (-1, 1)},
}


@st.composite
def worlds(draw):
    """Training rows, test rows, raw predictions and lists without training items; users 0-7, items 0-11."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    cells = rng.permutation(8 * 12)[: draw(st.integers(2, 60))]
    rows = [(int(cell // 12), int(cell % 12), float(rng.integers(1, 6))) for cell in cells]
    cut = draw(st.integers(1, len(rows) - 1))
    train, test = rows[:cut], rows[cut:]
    predictions = np.where(rng.random(len(test)) < 0.2, np.nan, rng.uniform(-1, 7, len(test)))
    catalogue = {item for _, item, _ in train}
    lists = {}
    for user in sorted({user for user, _, _ in test}):
        candidates = sorted(catalogue - {item for other, item, _ in train if other == user})
        lists[user] = rng.permutation(candidates).astype(int).tolist()[: rng.integers(0, K + 1)]
    return train, test, predictions.tolist(), lists


GENRES = ("A", "B", "A|B", "C", "", "A|C")


def evaluated(make_evaluation, train, test, predictions, lists):
    """Add to the answers embeddings and scores, and to the items genres, that belong to the item, not to its code."""
    evaluation = make_evaluation(train, test, predictions, [lists[user] for user in sorted(lists)], k=K)
    split = evaluation.split
    of_item = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)[split.item_coding.positions]
    genres = np.array([GENRES[item % len(GENRES)] for item in range(len(split.dataset.items))])
    items = Entities(split.dataset.items.ids, {"genres": genres})
    return replace(
        evaluation,
        split=replace(split, dataset=replace(split.dataset, items=items)),
        output=replace(evaluation.output, item_factors=of_item, score_means=of_item[:, :3].T),
    )


def values(evaluation, metrics=METRICS):
    measured = {metric.name: apply_metric(metric, evaluation) for metric in metrics}
    return {name: figure.value for name, figure in measured.items() if hasattr(figure, "value")}


@given(world=worlds())
def test_every_metric_stays_within_its_bounds(make_evaluation, world):
    found = values(evaluated(make_evaluation, *world))
    for name, (low, high) in BOUNDS.items():
        value = found.get(name, np.nan)  # no genre among the training items: calibration is n/a
        assert np.isnan(value) or low - 1e-9 <= value <= high + 1e-9, name
    assert 0 <= found["MAE"] <= found["RMSE"] + 1e-12 <= 4 + 1e-9


@given(world=worlds(), seed=st.integers(0, 1000))
def test_the_names_of_users_and_the_order_of_test_rows_change_nothing(make_evaluation, world, seed):
    train, test, predictions, lists = world
    rng = np.random.default_rng(seed)
    new = rng.permutation(8).tolist()
    order = rng.permutation(len(test)).tolist()
    renamed = evaluated(
        make_evaluation,
        [(new[user], item, rating) for user, item, rating in train],
        [(new[test[row][0]], *test[row][1:]) for row in order],
        [predictions[row] for row in order],
        {new[user]: items for user, items in lists.items()},
    )
    usual = evaluated(make_evaluation, *world)
    # UPD puts users of equal taste into groups by their place in the table: a rule about names.
    metrics = [metric for metric in METRICS if not isinstance(metric, UPD)]
    assert values(renamed, metrics) == pytest.approx(values(usual, metrics), nan_ok=True)


@given(world=worlds(), extra=st.integers(1, 4))
def test_padding_never_counts(make_evaluation, world, extra):
    usual = evaluated(make_evaluation, *world)
    lists, n_items = usual.lists, usual.split.train.n_items
    filler = np.full((len(lists), extra), n_items, dtype=np.int32)
    longer = replace(usual, output=replace(usual.output, lists=np.concatenate([lists, filler], axis=1)))
    for metric in OF_LISTS:
        usual_value, padded = (values(one, [replace(metric, k=k)]) for one, k in ((usual, K), (longer, K + extra)))
        # Only these divide by k, as they should: an empty place is a miss.
        if not isinstance(metric, Precision | Serendipity | NDCG):
            assert list(padded.values()) == pytest.approx(list(usual_value.values()), nan_ok=True), metric.name


@given(world=worlds())
def test_popular_lists_have_the_highest_arp_and_the_lowest_novelty_and_the_same_list_the_least_coverage(
    make_evaluation, world
):
    train, test, predictions, lists = world
    everyone = make_evaluation(train, test)
    order = everyone.split.item_coding.positions[everyone.by_popularity].tolist()
    popular = evaluated(make_evaluation, train, test, predictions, dict.fromkeys(lists, order[:K]))
    drawn = evaluated(make_evaluation, *world)
    full = {user: items for user, items in lists.items() if len(items) == min(K, len(order))}
    if len(full) == len(lists):
        least = {name: values(popular)[name] for name in ("novelty@3", "coverage@3", "entropy@3")}
        found = values(drawn)
        assert values(popular)["ARP@3"] >= found["ARP@3"] - 1e-9
        assert all(least[name] <= found[name] + 1e-9 for name in least)


@given(world=worlds())
def test_the_truth_itself_has_no_error_and_the_ideal_list_full_gain(make_evaluation, world):
    train, test, _, lists = world
    catalogue = {item for _, item, _ in train}
    ideal = {
        user: [item for other, item, rating in test if other == user and rating >= 4 and item in catalogue][:K]
        for user in lists
    }
    evaluation = evaluated(make_evaluation, train, test, [rating for *_, rating in test], ideal)
    found = values(evaluation)
    assert found["RMSE"] == 0
    hittable = all(item in catalogue for _, item, rating in test if rating >= 4)
    if hittable and not np.isnan(found["NDCG@3"]):
        assert found["NDCG@3"] == pytest.approx(1)


@given(world=worlds())
def test_tables_add_up_to_the_whole(make_evaluation, world):
    evaluation = evaluated(make_evaluation, *world)
    rmse = apply_metric(RMSE(), evaluation)
    for metric in (ColdUserStrata(), ColdItemStrata(), PopularityDeciles(), UserActivity()):
        rows = apply_metric(metric, evaluation).rows.values()
        assert sum(row["n"] for row in rows) == len(world[1])
        assert sum(row["RMSE"].numerators for row in rows) == pytest.approx(rmse.numerators)
        assert sum(row["RMSE"].denominators for row in rows) == pytest.approx(rmse.denominators)


@given(world=worlds())
def test_taste_groups_part_the_users_with_profile_and_list(make_evaluation, world):
    evaluation = evaluated(make_evaluation, *world)
    rows = apply_metric(DeltaGAP(k=K), evaluation).rows
    counts = [row["n"] for row in rows.values()]
    placed = (evaluation.profile_sizes > 0) & (evaluation.lists[:, 0] < evaluation.split.train.n_items)
    assert sum(counts) == placed.sum()
    assert counts[0] == counts[2] == placed.sum() // 5
    assert all(np.isnan(row["dGAP"].value) or row["dGAP"].value >= -1 for row in rows.values())


@given(world=worlds())
def test_sums_by_user_make_the_value_and_leave_nobody_negative(make_evaluation, world):
    evaluation = evaluated(make_evaluation, *world)
    for metric in METRICS:
        measured = apply_metric(metric, evaluation)
        if isinstance(measured, PerUser):
            assert measured.numerators.shape == measured.denominators.shape == evaluation.test_user_positions.shape
            assert (measured.denominators >= 0).all()
            assert (measured.numerators[measured.denominators == 0] == 0).all(), metric.name
            counts = measured.denominators > 0
            assert np.isnan(measured.per_user).tolist() == (~counts).tolist()
            assert np.isnan(measured.value) == (not counts.any())


@given(world=worlds(), seed=st.integers(0, 1000))
def test_resampled_users_have_the_value_of_the_data_that_they_make(make_evaluation, world, seed):
    evaluation = evaluated(make_evaluation, *world)
    drawn = np.random.default_rng(seed).multinomial(
        len(evaluation.test_user_positions),
        [1 / len(evaluation.test_user_positions)] * len(evaluation.test_user_positions),
        size=3,
    )
    weights = np.concatenate([drawn, np.ones((1, len(evaluation.test_user_positions)), dtype=np.int64)])
    for metric in METRICS:
        measured = apply_metric(metric, evaluation)
        if isinstance(measured, Pooled):
            together = measured.finish(weights @ measured.sums)
            repeated = [measured.sums[np.repeat(np.arange(len(row)), row)].sum(axis=0) for row in weights]
            one_by_one = [measured.finish(np.asarray(sums).reshape(1, -1))[0] for sums in repeated]
            assert together == pytest.approx(one_by_one, nan_ok=True), metric.name
            assert together[-1] == pytest.approx(measured.value, nan_ok=True), metric.name


class Table:
    """Scores out of a table."""

    def __init__(self, scores):
        self.scores = scores

    def score_items(self, users):
        return self.scores[users]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    world=worlds(),
    seed=st.integers(0, 1000),
    levels=st.integers(1, 20),
    k=st.integers(1, 14),
    memory_cap=st.integers(1, 4000),
)
def test_lists_are_unseen_distinct_sorted_complete_and_the_same_for_any_chunk(
    make_split, world, seed, levels, k, memory_cap
):
    train = make_split(*world[:2]).train
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, size=(train.n_users + 1, train.n_items)).astype(np.float32)
    users = rng.integers(0, train.n_users + 1, size=9).astype(np.int32)
    lists = rank_items(Table(scores), train, users, k=k, tie_seed=seed, clock=Clock()).lists
    with patch.multiple("cfbench.inference.rank", MEMORY_CAP=memory_cap, LARGE_MEMORY_CAP=0):
        chunked = rank_items(Table(scores), train, users, k=k, tie_seed=seed, clock=Clock()).lists
    assert (lists == chunked).all()
    for user, places in zip(users, lists, strict=True):
        seen = set(train.items[train.users == user].tolist())
        listed = places[places < train.n_items].tolist()
        assert len(listed) == len(set(listed)) == min(k, train.n_items - len(seen))
        assert not seen & set(listed)
        got = scores[user][listed]
        assert (np.diff(got) <= 0).all()
        left_out = [item for item in range(train.n_items) if item not in seen and item not in listed]
        assert not listed or all(scores[user][item] <= got[-1] for item in left_out)

"""What must hold of metrics and rankings for any data."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfbench.clock import Clock
from cfbench.metrics.accuracy import MAE, RMSE, Answered
from cfbench.metrics.cold_start import ColdItems, ColdUsers
from cfbench.metrics.metric import PerUser
from cfbench.metrics.popularity import APLT, ARP, Coverage, Gini, PopularityDeciles
from cfbench.metrics.ranking import NDCG, Precision, Recall
from cfbench.rankings import ask_rankings

K = 3
METRICS = (
    *(RMSE(), MAE(), Answered()),
    *(metric(k=K) for metric in (NDCG, Recall, Precision, ARP, APLT, Gini, Coverage)),
)
SHARES = ("answered", "NDCG@3", "Recall@3", "Precision@3", "APLT@3", "Gini@3", "coverage@3")


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


def evaluated(make_evaluation, train, test, predictions, lists):
    return make_evaluation(train, test, predictions, [lists[user] for user in sorted(lists)], k=K)


def values(evaluation):
    return {metric.name: metric.measure(evaluation).value for metric in METRICS}


@given(world=worlds())
def test_every_metric_stays_within_its_bounds(make_evaluation, world):
    found = values(evaluated(make_evaluation, *world))
    for name in SHARES:
        assert np.isnan(found[name]) or 0 <= found[name] <= 1 + 1e-12, name
    assert 0 <= found["MAE"] <= found["RMSE"] + 1e-12 <= 4 + 1e-9
    assert np.isnan(found["ARP@3"]) or 1 <= found["ARP@3"] <= 8


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
    assert values(renamed) == pytest.approx(values(usual), nan_ok=True)


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
    rmse = RMSE().measure(evaluation).value
    for metric in (ColdUsers(), ColdItems(), PopularityDeciles()):
        rows = [row for row in metric.measure(evaluation).rows.values() if row["n"]]
        assert sum(row["n"] for row in rows) == len(world[1])
        squares = sum(row["n"] * row["RMSE"] ** 2 for row in rows)
        assert np.sqrt(squares / len(world[1])) == pytest.approx(rmse)


@given(world=worlds())
def test_sums_by_user_make_the_value_and_leave_nobody_negative(make_evaluation, world):
    evaluation = evaluated(make_evaluation, *world)
    for metric in METRICS:
        measured = metric.measure(evaluation)
        if isinstance(measured, PerUser):
            assert measured.numerators.shape == measured.denominators.shape == evaluation.people.shape
            assert (measured.denominators >= 0).all()
            assert (measured.numerators[measured.denominators == 0] == 0).all(), metric.name


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
    lists = ask_rankings(Table(scores), train, users, k=k, tie_seed=seed, clock=Clock())
    chunked = ask_rankings(Table(scores), train, users, k=k, tie_seed=seed, clock=Clock(), memory_cap=memory_cap)
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

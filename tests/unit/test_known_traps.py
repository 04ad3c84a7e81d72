"""Mistakes seen in other evaluations: for each a test that fails on it, and the figure that it would have given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cfbench.data.dataset import Entities
from cfbench.data.splits.split import Fold, Split
from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.exposure import Coverage, Entropy, Gini
from cfbench.evaluation.metrics.metric import Breakdown, NotApplicable
from cfbench.evaluation.metrics.popularity import ARP
from cfbench.evaluation.metrics.ranking import Precision
from cfbench.evaluation.statistics.bootstrap import PerUser, percentile_interval, resampled
from cfbench.evaluation.statistics.significance import bootstrap_p, holm, wilcoxon_p
from cfbench.inference.inputs import EvaluationInputs
from cfbench.inference.rank import rank_items
from cfbench.records.cell import Cell
from cfbench.records.record import Comparison, Figure, Record
from cfbench.registry.registry import Registry
from cfbench.resources.cost import Clock
from cfbench.results.summary import GroupSamples, summary

OF_LISTS = [
    plugin
    for plugin in Registry.discover().plugins("metric")
    if plugin.distribution == "cfbench"
    and not plugin.problem
    and "k" in plugin.declaration.parameters
    and plugin.load().contract.needs == ("lists",)
]
DIVIDED_BY_K = {"Precision", "serendipity"}  # an empty place is a miss in these, by definition

TRAIN = [(0, item, 3) for item in range(6)] + [(1, 0, 4), (1, 1, 2), (2, 0, 5), (3, 5, 1)]
TEST = [(1, 2, 5), (1, 3, 4), (2, 1, 5), (3, 0, 2), (3, 4, 4)]
LISTS = [[2, 4], [3, 1], [0, 4]]


@pytest.fixture
def evaluate(make_evaluation):
    """An evaluation of the rows above with the given lists; the items have genres."""

    def build(lists, k):
        evaluation = make_evaluation(TRAIN, TEST, lists=lists, k=k)
        dataset = evaluation.split.dataset
        genres = np.array(["Drama", "Comedy", "Drama|Comedy", "War", "Drama", "War|Comedy"])
        with_genres = replace(dataset, items=Entities(dataset.items.ids, columns={"genres": genres}))
        return replace(evaluation, split=replace(evaluation.split, dataset=with_genres))

    return build


def numbers(result):
    """Every number of a measurement, flat."""
    assert not isinstance(result, NotApplicable)
    if not isinstance(result, Breakdown):
        return [result.value]
    figures = [figure for row in result.rows.values() for figure in row.values()]
    return [figure.value if isinstance(figure, PerUser) else figure for figure in figures]


def named(plugins):
    return pytest.mark.parametrize("plugin", plugins, ids=lambda plugin: plugin.name)


# A [PAD] item in the catalogue.


@named([plugin for plugin in OF_LISTS if plugin.name not in DIVIDED_BY_K])
def test_padding_of_short_lists_is_no_item_in_any_metric(evaluate, plugin):
    metric = plugin.load()
    short, whole = evaluate(LISTS, k=4), evaluate(LISTS, k=2)
    assert numbers(apply_metric(metric(k=4), short)) == pytest.approx(
        numbers(apply_metric(metric(k=2), whole)), nan_ok=True
    )


def test_padding_by_hand(make_evaluation):
    # Users 1 and 2 are shown item 0 alone, at k = 2; the catalogue has four items, item 0 has phi 1.
    train = [(0, item, 3) for item in range(4)]
    evaluation = make_evaluation(train, [(1, 1, 5), (2, 2, 5)], lists=[[0], [0]])
    assert apply_metric(Coverage(k=2), evaluation).value == 1 / 4  # with [PAD] an item: 2 of 5
    assert apply_metric(Entropy(k=2), evaluation).value == 0  # with [PAD]: two halves, 1 bit
    assert apply_metric(Gini(k=2), evaluation).value == (2 * 4 - 4 - 1) / 4  # with [PAD]: exposures 0 0 0 2 2, 0.6
    assert apply_metric(ARP(k=2), evaluation).value == 1  # with [PAD] of phi 0: 0.5


# Precision above 1 through a k+1st column.


@named(OF_LISTS)
def test_places_behind_the_kth_of_longer_stored_lists_change_no_metric(evaluate, plugin):
    metric = plugin.load()
    longer = evaluate([[2, 4, 3], [3, 1, 4], [0, 4, 2]], k=3)
    assert numbers(apply_metric(metric(k=2), longer)) == pytest.approx(
        numbers(apply_metric(metric(k=2), evaluate(LISTS, k=2))), nan_ok=True
    )


def test_precision_of_three_hits_at_two_is_one(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 2, 5), (1, 3, 5), (1, 4, 5)], lists=[[2, 3, 4]], k=3)
    assert apply_metric(Precision(k=2), evaluation).value == 1  # with the third column: 3 / 2


# Recall over min(k, relevant) called precision.


def test_precision_of_a_user_who_likes_fewer_than_k_items_divides_by_k(make_evaluation):
    evaluation = make_evaluation(TRAIN, [(1, 2, 5)], lists=[[2, 4]])
    assert apply_metric(Precision(k=2), evaluation).value == 1 / 2  # over min(k, relevant): 1


# Entropy divided by the number of items.


def test_entropy_of_four_items_shown_equally_often_is_two_bits(make_evaluation):
    train = [(0, item, 3) for item in range(4)]
    evaluation = make_evaluation(train, [(1, 0, 5), (2, 0, 5)], lists=[[0, 1], [2, 3]])
    assert apply_metric(Entropy(k=2), evaluation).value == pytest.approx(2)  # divided by 4 items: 0.5


# A significance test of the wrong side.


@pytest.fixture(scope="module")
def errors_of_users():
    """Errors of 200 users under a model, one that is clearly worse, and one that differs by noise alone."""
    rng = np.random.default_rng(0)
    users = rng.gamma(4.0, size=200)
    noise = rng.normal(scale=0.2, size=(3, 200))
    return users + noise[0], users + 0.3 + noise[1], users + noise[2]


def paired_p(first, second):
    of_first, of_second = (PerUser(values, np.ones(len(values))) for values in (first, second))
    drawn = resampled({"first": of_first, "second": of_second}, seed=1)
    samples = drawn["first"].samples - drawn["second"].samples
    return bootstrap_p(of_first.value - of_second.value, samples, len(first)), percentile_interval(samples)


@pytest.mark.parametrize("turned", [False, True], ids=["better against worse", "worse against better"])
def test_a_clear_difference_is_significant_from_either_side(errors_of_users, turned):
    good, bad, _ = errors_of_users
    first, second = (bad, good) if turned else (good, bad)
    p, interval = paired_p(first, second)
    # A one-sided test of "the first is better" gives nearly 1 for one of the two sides, and calls it a tie.
    assert p < 1e-6
    assert wilcoxon_p(first, second) < 1e-6
    assert (interval.low > 0) if turned else (interval.high < 0), "and the interval says which is better"


def test_noise_is_significant_from_neither_side(errors_of_users):
    first, _, twin = errors_of_users
    for a, b in ((first, twin), (twin, first)):
        assert paired_p(a, b)[0] > 0.05
        assert wilcoxon_p(a, b) > 0.05


def test_a_model_is_tied_with_the_best_when_the_corrected_p_is_high_and_not_when_it_is_low():
    clear, unclear = holm([1e-6, 0.4])
    pair = Comparison("data", "split", "RMSE", best="good", model="bad", difference=0.3, low=0.2, high=0.4)
    assert not replace(pair, p_corrected=clear).tied  # of the wrong side: 1 - p, a tie
    assert replace(pair, p_corrected=unclear).tied


# Cache keys over row counts, and over sorted characters of the configuration.


def cell(fingerprint="f" * 64, **params):
    return Cell("data", "holdout", "", fingerprint, "dot", params, "plugin", "1", "code", 0, 0, 10)


def test_two_splits_of_equal_sizes_have_different_keys(make_split):
    split = make_split([(0, 0, 3), (0, 1, 4), (1, 0, 5)], [(1, 1, 2)])
    rows = np.arange(4, dtype=np.int64)
    other = Split.of(split.dataset, split.name, Fold("", rows[[0, 1, 3]], rows[[2]]))
    assert (len(split.train), len(split.test)) == (len(other.train), len(other.test))  # a key over these is equal
    assert cell(split.fingerprint).key != cell(other.fingerprint).key


def test_data_of_equal_sizes_have_different_keys(make_split):
    one, other = (make_split([(0, 0, 3), (0, 1, rating)], [(0, 2, 2)]) for rating in (4, 5))
    assert cell(one.fingerprint).key != cell(other.fingerprint).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"n_factors": 12}, {"n_factors": 21}),
        ({"loss": "ab"}, {"loss": "ba"}),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"layers": (50, 100)}, {"layers": (100, 50)}),
        ({"rate": 0.12}, {"rate": 0.21}),
    ],
)
def test_parameters_that_are_anagrams_of_each_other_have_different_keys(one, other):
    assert sorted(str(one)) == sorted(str(other))  # a key over sorted characters is equal
    assert cell(**one).key != cell(**other).key


# Items rated 1 to 3 in training as candidates.


@pytest.mark.parametrize("rating", [1, 2, 3, 4, 5])
def test_a_training_item_is_no_candidate_whatever_its_rating(make_split, rating):
    split = make_split([(0, 0, rating), (1, 1, 3), (1, 2, 3)], [(0, 1, 5)])

    class LovesTheFirst:
        def score_items(self, users):
            return np.tile(np.array([9, 2, 1], dtype=np.float32), (len(users), 1))

    codes = split.user_coding.codes(split.test_user_positions)
    ranked = rank_items(LovesTheFirst(), split.train, codes, k=2, tie_seed=0, clock=Clock())
    assert ranked.lists.tolist() == [[1, 2]]  # masking relevant items only: [[0, 1]] for ratings 1 to 3


# Tuning on the test part.


def test_a_worker_is_told_no_test_rating_and_no_row_beyond_training(make_split, tmp_path):
    train, test = [(0, 0, 3.0), (0, 1, 2.0), (1, 0, 4.0)], [(1, 1, 4.8125), (0, 2, 1.1875)]
    split = make_split(train, test)
    EvaluationInputs.of(split).write(tmp_path)
    told = EvaluationInputs.read(tmp_path).train
    rows = {(u, i, r) for u, i, r in zip(*(a.tolist() for a in (told.users, told.items, told.ratings)), strict=True)}
    assert rows == set(train)  # codes follow first appearance: they are the numbers above
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for _, _, rating in test:
        assert np.float32(rating).tobytes() not in written
        assert np.float64(rating).tobytes() not in written
        assert str(rating).encode() not in written
    assert np.float32(2.0).tobytes() in written, "training ratings are found by the same search"


# Keeping the best fold.


def test_a_summary_is_the_mean_of_the_folds_and_not_the_best_one():
    folds = [replace(cell(), fold=name) for name in ("1/3", "2/3", "3/3")]
    values = (1.0, 0.8, 0.9)
    records = [
        Record(fold, "ok", metrics={"RMSE": Figure(value, n=10)}) for fold, value in zip(folds, values, strict=True)
    ]
    told = summary(folds, records, GroupSamples())
    assert told.metrics["RMSE"].value == pytest.approx(0.9)  # the best fold: 0.8
    assert told.fold_spread["RMSE"] == pytest.approx(0.1)

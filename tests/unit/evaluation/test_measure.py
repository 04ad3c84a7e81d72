"""Measuring by metrics that strangers wrote: what one does wrong costs its own figure, and no other's."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from cfbench.evaluation.measure import measure
from cfbench.evaluation.metrics import Contract, Evaluation, NotApplicable, PerUser, Pooled, Single
from cfbench.evaluation.metrics.accuracy import RMSE
from cfbench.evaluation.metrics.ranking import NDCG, Recall
from cfbench.records.record import MissingMetric

TRAIN = [(0, 0, 5), (1, 1, 4), (2, 2, 3), (0, 3, 1)]
TEST = [(0, 1, 5), (1, 2, 1), (2, 0, 4)]


def contract(*needs: str) -> Contract:
    return Contract("t", "f", "odd", needs, "higher", "a", "c", "s")


@dataclass(frozen=True)
class Odd:
    """Measures as it is told."""

    contract: ClassVar[Contract] = contract("ratings")
    how: object
    name: str = "odd"

    def measure(self, evaluation: Evaluation):
        return self.how(evaluation)


@pytest.fixture
def evaluation(make_evaluation) -> Evaluation:
    return make_evaluation(TRAIN, TEST, [4, 2, 3], [[1, 2], [2, 0], [0, 1]])


def ones(evaluation: Evaluation) -> np.ndarray:
    return np.ones(len(evaluation.test_user_positions))


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        (lambda evaluation: 1 / 0, "ZeroDivisionError"),
        (lambda evaluation: sys.exit(7), "SystemExit: 7"),
        (lambda evaluation: evaluation.errors.__setitem__(0, 0.0), "read-only"),
        (lambda evaluation: evaluation.lists.__setitem__(0, 0), "read-only"),
        (lambda evaluation: evaluation.item_popularity.__setitem__(0, 0), "read-only"),
        (lambda evaluation: evaluation.incidence.data.__setitem__(0, 0), "read-only"),
        (lambda evaluation: evaluation.filled.__setitem__(0, 0), "read-only"),
        (lambda evaluation: 0.5, "must return PerUser"),
        (lambda evaluation: PerUser(np.ones(2), np.ones(2)), "expected sums of 3 test users, got 2"),
        (lambda evaluation: PerUser(ones(evaluation) * np.nan, ones(evaluation)), "must be finite"),
        (lambda evaluation: Pooled(np.ones((3, 2)), lambda sums: sums.sum(), 3), "finish must turn sums"),
        (lambda evaluation: Pooled(np.ones((3, 2)), lambda sums: sums[:, 5], 3), "IndexError"),
    ],
)
def test_a_metric_that_fails_loses_its_own_figure_only(evaluation, how, complaint):
    measured = measure(evaluation, [Odd(how), RMSE()])
    assert measured.missing["odd"].status == "failed"
    assert complaint in measured.missing["odd"].reason
    assert measured.figures["RMSE"].value == pytest.approx(1.0)
    assert "odd" not in measured.figures
    assert "odd" not in measured.sums


def test_users_who_do_not_count_may_have_any_numerator(evaluation):
    sums = PerUser(np.array([np.nan, 1, 0]), np.array([0.0, 1, 1]))
    assert measure(evaluation, [Odd(lambda _: sums)]).missing == {}


def test_a_metric_may_say_that_the_data_cannot_have_it(evaluation):
    measured = measure(evaluation, [Odd(lambda _: NotApplicable("no genres"))])
    assert measured.missing == {"odd": MissingMetric("not-applicable", "no genres")}


def test_a_single_figure_keeps_the_interval_that_it_brings(evaluation):
    figure = measure(evaluation, [Odd(lambda _: Single(0.5, 9, (0.4, 0.6)))]).figures["odd"]
    assert (figure.value, figure.low, figure.high, figure.n) == (0.5, 0.4, 0.6, 9)


@dataclass(frozen=True)
class Hits:
    """Counts hits, without cutting anything itself."""

    contract: ClassVar[Contract] = contract("lists")
    k: int = 1

    @property
    def name(self) -> str:
        return f"hits@{self.k}"

    def measure(self, evaluation: Evaluation) -> PerUser:
        assert evaluation.lists.shape[1] == self.k
        return PerUser(evaluation.hits.sum(axis=1).astype(float), ones(evaluation))


def test_lists_come_with_exactly_as_many_places_as_a_metric_looks_at(evaluation):
    # Lists 1 2 / 2 0 / 0 1, relevant: item 1 of user 0 and item 0 of user 2, both in the first place.
    alone = measure(evaluation, [Hits(1)]).figures["hits@1"]
    beside = measure(evaluation, [Hits(1), NDCG(2), Recall(1)]).figures["hits@1"]
    assert alone == beside
    assert alone.value == pytest.approx(2 / 3)


def test_a_metric_that_looks_further_than_the_lists_go_is_told(evaluation):
    assert (
        "lists of 3 items are needed, the stored ones hold 2" in measure(evaluation, [NDCG(3)]).missing["NDCG@3"].reason
    )


def test_a_pure_ranker_has_no_metric_of_ratings(make_evaluation):
    ranker = make_evaluation(TRAIN, TEST, None, [[1], [2], [0]], k=1)
    assert "ranks only" in measure(ranker, [RMSE()]).missing["RMSE"].reason


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"needs": ("rating",)}, "needs must be a tuple of ratings, lists"),
        ({"needs": "ratings"}, "needs must be a tuple"),
        ({"direction": "up"}, "direction must be lower, higher or none"),
        ({"display": ".3q"}, "display must be a format"),
        ({"family": ""}, "must be non-empty texts"),
    ],
)
def test_a_contract_says_what_is_wrong_with_it(changed, complaint):
    fields = {"needs": ("ratings",), "direction": "lower", "display": ".4f", "family": "odd"} | changed
    stated = Contract(title="t", formula="f", averaging="a", cold_policy="c", source="s", **fields)
    assert complaint in stated.mistakes()[0]
    assert contract("lists").mistakes() == []

"""Popularity bias: of the lists that a model makes, and of the ratings that it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.metrics.cutoff import CutOff
from cfbench.metrics.evaluation import Evaluation
from cfbench.metrics.metric import Breakdown, Contract, PerUser, Single
from cfbench.metrics.strata import errors_by_stratum

_ALL_LISTS = "mean over test users who got a list; users without one are left out"
_WHOLE_SYSTEM = "one figure over the lists of all test users"
_CANDIDATES = "training catalogue minus the user's training items, all of it"
_COLD = "cold users count if they got a list; cold items are in no list"


@dataclass(frozen=True)
class ARP(CutOff):
    """Average recommendation popularity: training users of the items in a list, in users; at least 1."""

    contract: ClassVar[Contract] = Contract(
        title="average popularity of the recommended items",
        formula="mean_u (sum_(i in L_u) phi(i)) / |L_u|, phi(i) = distinct training users of i",
        needs="lists",
        direction="lower",
        averaging=_ALL_LISTS,
        candidates=_CANDIDATES,
        cold_policy=_COLD,
        source="Yin et al. 2012, Challenging the long tail recommendation",
        unit="count",
    )
    label: ClassVar[str] = "ARP"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average ``phi`` over every list."""
        return _mean_of_lists(self.first(evaluation.lists), evaluation.phi)


@dataclass(frozen=True)
class APLT(CutOff):
    """Average share of long-tail items in a list, in [0, 1].

    The tail is what lies outside the smallest set of items that covers 80 % of the training interactions.
    """

    contract: ClassVar[Contract] = Contract(
        title="average share of long-tail items in the lists",
        formula="mean_u |L_u & tail| / |L_u|, tail = outside the smallest set with 80 % of training rows",
        needs="lists",
        direction="higher",
        averaging=_ALL_LISTS,
        candidates=_CANDIDATES,
        cold_policy=_COLD,
        source="Abdollahpouri et al. 2017, Controlling popularity bias in learning-to-rank recommendation",
        unit="share",
    )
    label: ClassVar[str] = "APLT"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average tail membership over every list."""
        return _mean_of_lists(self.first(evaluation.lists), evaluation.tail)


@dataclass(frozen=True)
class Gini(CutOff):
    """Inequality of exposure over the whole catalogue, in [0, 1): 0 = every item is shown equally often."""

    contract: ClassVar[Contract] = Contract(
        title="Gini index of how often each item is recommended",
        formula="sum_(j=1..n) (2j - n - 1) x_(j) / (n sum x), x_(j) = ascending exposures, zeros included",
        needs="lists",
        direction="lower",
        averaging=_WHOLE_SYSTEM,
        candidates=_CANDIDATES,
        cold_policy=_COLD,
        source="Fleder and Hosanagar 2009, Blockbuster culture's next rise or fall",
        unit="share",
    )
    label: ClassVar[str] = "Gini"

    def measure(self, evaluation: Evaluation) -> Single:
        """Compute it over the ``n`` items of the catalogue; NaN where no list holds an item."""
        exposures = np.sort(_exposures(self.first(evaluation.lists), evaluation.split.train.n_items))
        n, total = len(exposures), int(exposures.sum())
        if total == 0:
            return Single(float("nan"), n)
        weights = 2 * np.arange(1, n + 1) - n - 1
        return Single(int(weights @ exposures) / (n * total), n)


@dataclass(frozen=True)
class Coverage(CutOff):
    """Share of the training catalogue that appears in at least one list, in [0, 1]."""

    contract: ClassVar[Contract] = Contract(
        title="share of the catalogue that is recommended to anyone",
        formula="|union_u L_u| / n, n = training items",
        needs="lists",
        direction="higher",
        averaging=_WHOLE_SYSTEM,
        candidates=_CANDIDATES,
        cold_policy=_COLD,
        source="Ge et al. 2010, Beyond accuracy: evaluating recommender systems by coverage and serendipity",
        unit="share",
    )
    label: ClassVar[str] = "coverage"

    def measure(self, evaluation: Evaluation) -> Single:
        """Count the items with any exposure among the ``n`` of the catalogue."""
        exposures = _exposures(self.first(evaluation.lists), evaluation.split.train.n_items)
        return Single(np.count_nonzero(exposures) / len(exposures), len(exposures))


@dataclass(frozen=True)
class PopularityDeciles:
    """Errors of predicted ratings by popularity decile of the item: 1 = least, 10 = most popular.

    A decile is a tenth of the catalogue's items, not of the test rows; equally popular items follow the data
    set's item table. Cold items are a row of their own. Facts: ``tail cut`` = phi of the least popular head
    item, ``tail share`` = the tail's share of the catalogue's items.
    """

    contract: ClassVar[Contract] = Contract(
        title="errors by popularity decile of the item",
        formula="mean (p - r), sqrt(mean (p - r)^2) and more per tenth of the items ordered by phi",
        needs="ratings",
        direction="none",
        averaging="all test rows of the decile alike",
        cold_policy="items outside training apart, as 'cold'; unanswered rows get the training mean",
        clipping="predictions clipped to the rating scale",
        source="cfbench; strata of popularity after Steck 2011, Item popularity and recommendation accuracy",
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "popularity-deciles"

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Sort the test rows into the deciles of their items."""
        n_items = evaluation.split.train.n_items
        decile = np.empty(n_items + 1, dtype=np.int64)
        decile[evaluation.by_popularity[::-1]] = np.arange(n_items) * 10 // n_items
        decile[n_items] = 10
        labels = [*(str(number) for number in range(1, 11)), "cold"]
        return Breakdown(
            rows=errors_by_stratum(evaluation, decile[evaluation.split.test.items], labels),
            facts={
                "tail cut": float(evaluation.phi[evaluation.head].min()),
                "tail share": float(evaluation.tail.mean()),
            },
        )


def _mean_of_lists(lists: NDArray[np.int32], worth: NDArray[Any]) -> PerUser:
    """Average ``worth`` of an item, shape (n_items,), over each list, then over the users with a list."""
    listed = lists < len(worth)
    sums = np.append(worth, 0)[lists].sum(axis=1, dtype=np.float64)
    lengths = listed.sum(axis=1)
    got_one = lengths > 0
    return PerUser(sums / np.maximum(lengths, 1), got_one.astype(np.float64))


def _exposures(lists: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """Return in how many lists each item of the catalogue appears, shape (n_items,)."""
    places = np.bincount(lists.ravel(), minlength=n_items + 1)
    return places[:n_items]

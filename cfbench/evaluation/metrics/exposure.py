"""Evenness of exposure: inequality, coverage and entropy of how often each item is recommended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, Pooled
from cfbench.evaluation.metrics.contracts import of_lists

_of_exposures = partial(of_lists, family="popularity bias", averaging="one figure over the lists of all test users")


@dataclass(frozen=True)
class Gini(CutOff):
    """Inequality of exposure over the whole catalogue, in [0, 1): 0 = every item is shown equally often.

    NaN where no list holds an item.
    """

    label: ClassVar[str] = "Gini"
    contract: ClassVar[Contract] = _of_exposures(
        title="Gini index of how often each item is recommended",
        formula="sum_(j=1..n) (2j - n - 1) x_(j) / (n sum x), x_(j) = ascending exposures, zeros included",
        direction="lower",
        source="Fleder and Hosanagar 2009, Blockbuster culture's next rise or fall",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Compute it over the ``n`` items of the catalogue, of which those never shown need not be stored."""
        n, shown = evaluation.split.train.n_items, evaluation.exposures.shape[1]
        # The items that are never shown come first in order, and weigh nothing.
        weights = 2 * np.arange(n - shown + 1, n + 1) - n - 1
        return Pooled(
            evaluation.exposures,
            lambda exposures: np.sort(exposures, axis=1) @ weights / (n * _total(exposures)),
            n,
            bounds=(0.0, 1.0),
        )


@dataclass(frozen=True)
class Coverage(CutOff):
    """Share of the training catalogue that appears in at least one list, in [0, 1]."""

    label: ClassVar[str] = "coverage"
    contract: ClassVar[Contract] = _of_exposures(
        title="share of the catalogue that is recommended to anyone",
        formula="|union_u L_u| / n, n = training items",
        source="Ge et al. 2010, Beyond accuracy: evaluating recommender systems by coverage and serendipity",
        display=".1%",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count the items with any exposure among the ``n`` of the catalogue."""
        n = evaluation.split.train.n_items
        return Pooled(evaluation.exposures, lambda exposures: np.count_nonzero(exposures, axis=1) / n, n, (0.0, 1.0))


@dataclass(frozen=True)
class Entropy(CutOff):
    """Shannon entropy of exposure in bits, from 0 (one item for everybody) to log2 n (all equally often).

    It is not divided by the number of items. NaN where no list holds an item.
    """

    label: ClassVar[str] = "entropy"
    contract: ClassVar[Contract] = _of_exposures(
        title="entropy of how often each item is recommended",
        formula="-sum_i p_i log2 p_i over the items shown, p_i = x_i / sum x, x_i = exposures of i",
        source="Shannon 1948; of exposure: Adomavicius and Kwon 2012, Improving aggregate recommendation diversity",
        unit="bits",
        display=".3f",
    )

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Turn exposures into shares; items never shown add nothing."""
        n_items = evaluation.split.train.n_items

        def entropy(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
            total = _total(exposures)
            logarithms = np.log2(exposures, out=np.zeros_like(exposures), where=exposures > 0)
            bits = np.log2(total) - (exposures * logarithms).sum(axis=1) / total
            floored: NDArray[np.float64] = np.maximum(bits, 0)  # rounding may leave -1e-16 with one item for everybody
            return floored

        return Pooled(evaluation.exposures, entropy, n_items, (0.0, math.log2(n_items)))


def _total(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each row, shape (c,), NaN for zero: without any exposure there is no distribution."""
    totals = exposures.sum(axis=1)
    return np.where(totals == 0, np.nan, totals)

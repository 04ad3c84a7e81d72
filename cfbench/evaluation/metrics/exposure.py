"""How evenly a system shows its catalogue: inequality, coverage and entropy of exposure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import ALL_LISTS, CANDIDATES, COLD_LISTS
from cfbench.evaluation.metrics.sums import Pooled

_Figure: TypeAlias = Callable[[NDArray[np.float64], int], NDArray[np.float64]]


@dataclass(frozen=True)
class Gini(CutOff):
    """Inequality of exposure over the whole catalogue, in [0, 1): 0 = every item is shown equally often.

    NaN where no list holds an item.
    """

    contract: ClassVar[Contract] = Contract(
        title="Gini index of how often each item is recommended",
        formula="sum_(j=1..n) (2j - n - 1) x_(j) / (n sum x), x_(j) = ascending exposures, zeros included",
        family="popularity bias",
        needs=("lists",),
        direction="lower",
        averaging=ALL_LISTS,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="Fleder and Hosanagar 2009, Blockbuster culture's next rise or fall",
        unit="share",
    )
    label: ClassVar[str] = "Gini"

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Compute it over the ``n`` items of the catalogue, of which those never shown need not be stored."""
        return _of_exposures(evaluation, _gini)


@dataclass(frozen=True)
class Coverage(CutOff):
    """Share of the training catalogue that appears in at least one list, in [0, 1]."""

    contract: ClassVar[Contract] = Contract(
        title="share of the catalogue that is recommended to anyone",
        formula="|union_u L_u| / n, n = training items",
        family="popularity bias",
        needs=("lists",),
        direction="higher",
        averaging=ALL_LISTS,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="Ge et al. 2010, Beyond accuracy: evaluating recommender systems by coverage and serendipity",
        unit="share",
        display=".1%",
    )
    label: ClassVar[str] = "coverage"

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Count the items with any exposure among the ``n`` of the catalogue."""
        return _of_exposures(evaluation, lambda exposures, n: np.count_nonzero(exposures, axis=1) / n)


@dataclass(frozen=True)
class Entropy(CutOff):
    """Shannon entropy of exposure in bits, from 0 (one item for everybody) to log2 n (all equally often).

    It is not divided by the number of items. NaN where no list holds an item.
    """

    contract: ClassVar[Contract] = Contract(
        title="entropy of how often each item is recommended",
        formula="-sum_i p_i log2 p_i over the items shown, p_i = x_i / sum x, x_i = exposures of i",
        family="popularity bias",
        needs=("lists",),
        direction="higher",
        averaging=ALL_LISTS,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="Shannon 1948; of exposure: Adomavicius and Kwon 2012, Improving aggregate recommendation diversity",
        unit="bits",
        display=".3f",
    )
    label: ClassVar[str] = "entropy"

    def measure(self, evaluation: Evaluation) -> Pooled:
        """Turn exposures into shares; items never shown add nothing."""
        highest = math.log2(evaluation.split.train.n_items)
        return _of_exposures(evaluation, lambda exposures, _: _entropy(exposures), highest)


def _of_exposures(evaluation: Evaluation, figure: _Figure, highest: float = 1.0) -> Pooled:
    """Pool the exposures and apply ``figure``, in [0, highest], to them and the catalogue's size."""
    n_items = evaluation.split.train.n_items
    return Pooled(evaluation.exposures, lambda exposures: figure(exposures, n_items), n_items, (0.0, highest))


def _gini(exposures: NDArray[np.float64], n_items: int) -> NDArray[np.float64]:
    """Return the Gini index of each row of exposures, shape (c, shown), among ``n_items`` items: (c,)."""
    shown = exposures.shape[1]
    weights = 2 * np.arange(n_items - shown + 1, n_items + 1) - n_items - 1  # the zeros before them weigh nothing
    index: NDArray[np.float64] = np.sort(exposures, axis=1) @ weights / (n_items * _total(exposures)[:, 0])
    return index


def _entropy(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each row of exposures, shape (c, shown) -> (c,), in bits."""
    total = _total(exposures)
    logarithms = np.log2(exposures, out=np.zeros_like(exposures), where=exposures > 0)
    bits = np.log2(total[:, 0]) - (exposures * logarithms).sum(axis=1) / total[:, 0]
    floored: NDArray[np.float64] = np.maximum(bits, 0)  # rounding may leave -1e-16 where everybody is shown one item
    return floored


def _total(exposures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each row, shape (c, 1), NaN for zero: what is shown to nobody has no distribution."""
    totals = exposures.sum(axis=1, keepdims=True)
    return np.where(totals == 0, np.nan, totals)

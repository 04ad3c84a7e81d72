"""Intra-list diversity: how unlike each other the items of a list are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.co_rating import CoRating
from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.list_means import list_lengths
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES, COLD_LISTS
from cfbench.evaluation.metrics.sums import PerUser

_AVERAGING = "mean over test users whose list has at least two items; other users are left out"
_SOURCE = "Ziegler et al. 2005, Improving recommendation lists through topic diversification"
_FORMULA = "mean_u (1 - 2 sum_(i<j in L_u) cos(i, j) / (|L_u| (|L_u| - 1))), "
_FACTORS_PER_CHUNK = 1 << 21  # factors of listed items that are gathered at a time: 16 MB


@dataclass(frozen=True)
class Diversity(CutOff):
    """Intra-list diversity by who rated the items, in [0, 1]; 1 = no training user rated two items of a list.

    It needs nothing of the model but its lists, so all models compare.
    """

    contract: ClassVar[Contract] = Contract(
        title="how differently the items of a list were rated by the same users",
        formula=_FORMULA + "cos(i, j) = |U_i & U_j| / sqrt(phi(i) phi(j)), U_i = training users of i",
        family="beyond accuracy",
        needs=("lists",),
        direction="higher",
        averaging=_AVERAGING,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source=_SOURCE,
        unit="share",
    )
    label: ClassVar[str] = "diversity"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up the cosines of all pairs of every list."""
        lists = evaluation.lists
        cosines = CoRating(evaluation.incidence, evaluation.item_popularity).cosine_sums(lists)
        return _diversity(cosines, lists, evaluation)


@dataclass(frozen=True)
class EmbeddingDiversity(CutOff):
    """Intra-list diversity by the model's own item embeddings, in [0, 2]; 1 = unrelated, 2 = opposite.

    Every model sees items its own way: compare settings of a model, not models. An embedding of zeros has cosine 0
    with every other.
    """

    contract: ClassVar[Contract] = Contract(
        title="how far apart the items of a list are in the model's own embedding",
        formula=_FORMULA + "cos of the model's item factors; 0 with a zero vector",
        family="beyond accuracy",
        needs=("lists", "embeddings"),
        direction="higher",
        averaging=_AVERAGING,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source=_SOURCE,
    )
    label: ClassVar[str] = "diversity-embeddings"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up the cosines of all pairs of every list."""
        lists = evaluation.lists
        return _diversity(_cosine_sums(lists, evaluation.item_factors), lists, evaluation)


def _diversity(cosines: NDArray[np.float64], lists: NDArray[np.int32], evaluation: Evaluation) -> PerUser:
    """Turn the sums of cosines over the pairs of each list, shape (t,), into diversity."""
    lengths = list_lengths(lists, evaluation.split.train.n_items)
    counts = lengths >= 2
    pairs = np.maximum(lengths * (lengths - 1) // 2, 1)
    return PerUser(np.where(counts, 1 - cosines / pairs, 0), counts.astype(np.float64))


def _cosine_sums(lists: NDArray[np.int32], factors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum of cosines over the pairs of each list, shape (t,).

    With unit vectors e: sum_(i<j) e_i e_j = (|sum_i e_i|^2 - sum_i |e_i|^2) / 2. No pair is ever formed.
    """
    lengths = np.linalg.norm(factors.astype(np.float64), axis=1, keepdims=True)
    units = np.zeros((len(factors) + 1, factors.shape[1]))  # the last row is the padding
    np.divide(factors, lengths, out=units[:-1], where=lengths > 0)
    squares = np.append(lengths[:, 0] > 0, False).astype(np.float64)
    step = max(1, _FACTORS_PER_CHUNK // max(1, lists.shape[1] * factors.shape[1]))
    sums = [units[lists[start : start + step]].sum(axis=1) for start in range(0, len(lists), step)]
    together = np.concatenate([np.einsum("tf,tf->t", part, part) for part in sums])
    halves: NDArray[np.float64] = (together - squares[lists].sum(axis=1)) / 2
    return halves

"""Intra-list diversity: how unlike each other the items of a list are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, PerUser
from cfbench.evaluation.metrics.co_rating import CoRating
from cfbench.evaluation.metrics.contracts import of_lists

_FORMULA = "mean_u (1 - 2 sum_(i<j in L_u) cos(i, j) / (|L_u| (|L_u| - 1))), "
_FACTORS_PER_CHUNK = 1 << 21  # factors of listed items that are gathered at a time: 16 MB

_of_pairs = partial(
    of_lists,
    family="beyond accuracy",
    averaging="mean over test users whose list has at least two items; other users are left out",
    source="Ziegler et al. 2005, Improving recommendation lists through topic diversification",
)


@dataclass(frozen=True)
class Diversity(CutOff):
    """Intra-list diversity by who rated the items, in [0, 1]; 1 = no training user rated two items of a list.

    It needs nothing of the model but its lists, so all models compare.
    """

    label: ClassVar[str] = "diversity"
    contract: ClassVar[Contract] = _of_pairs(
        title="how differently the items of a list were rated by the same users",
        formula=_FORMULA + "cos(i, j) = |U_i & U_j| / sqrt(phi(i) phi(j)), U_i = training users of i",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up the cosines of all pairs of every list."""
        co_rating = CoRating(evaluation.incidence, evaluation.item_popularity)
        return _diversity(co_rating.cosine_sums(evaluation.lists), evaluation)


@dataclass(frozen=True)
class EmbeddingDiversity(CutOff):
    """Intra-list diversity by the model's own item embeddings, in [0, 2]; 1 = unrelated, 2 = opposite.

    Every model has embeddings of its own: compare settings of a model, not models. An embedding of zeros has cosine 0
    with every other.
    """

    label: ClassVar[str] = "diversity-embeddings"
    contract: ClassVar[Contract] = _of_pairs(
        title="how far apart the items of a list are in the model's own embedding",
        formula=_FORMULA + "cos of the model's item factors; 0 with a zero vector",
        needs=("lists", "embeddings"),
        unit="",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Add up the cosines of all pairs of every list, without forming any pair.

        With unit vectors e: sum_(i<j) e_i e_j = (|sum_i e_i|^2 - sum_i |e_i|^2) / 2.
        """
        lists, factors = evaluation.lists, evaluation.item_factors
        lengths = np.linalg.norm(factors.astype(np.float64), axis=1, keepdims=True)
        units = np.zeros((len(factors) + 1, factors.shape[1]))  # the last row is the padding
        np.divide(factors, lengths, out=units[:-1], where=lengths > 0)
        squares = np.append(lengths[:, 0] > 0, False).astype(np.float64)
        step = max(1, _FACTORS_PER_CHUNK // max(1, lists.shape[1] * factors.shape[1]))
        sums = [units[lists[start : start + step]].sum(axis=1) for start in range(0, len(lists), step)]
        together = np.concatenate([np.einsum("tf,tf->t", part, part) for part in sums])
        return _diversity((together - squares[lists].sum(axis=1)) / 2, evaluation)


def _diversity(cosines: NDArray[np.float64], evaluation: Evaluation) -> PerUser:
    """Turn the sums of cosines over the pairs of each list, shape (t,), into diversity."""
    lengths = evaluation.list_lengths
    counts = lengths >= 2
    pairs = np.maximum(lengths * (lengths - 1) // 2, 1)
    return PerUser(np.where(counts, 1 - cosines / pairs, 0), counts.astype(np.float64))

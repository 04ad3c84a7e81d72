"""Accuracy of top-k lists against the relevant test items: full ranking of the catalogue, never sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES
from cfbench.evaluation.metrics.sums import PerUser

_USERS = "mean over test users with a relevant test item; an empty list counts 0"
_RELEVANT = "test rating >= relevant_from of the data set"
_COLD = "cold users count; cold items count as relevant and cannot be hit"
_HERLOCKER = "Herlocker et al. 2004, Evaluating collaborative filtering recommender systems"


@dataclass(frozen=True)
class NDCG(CutOff):
    """Normalised discounted cumulative gain of the first ``k``, in [0, 1]; 1 is the best order possible.

    Gain is binary; the ideal list holds ``min(k, |Rel_u|)`` relevant items first.
    """

    contract: ClassVar[Contract] = Contract(
        title="normalised discounted cumulative gain of the top k",
        formula="mean_u (sum_(j<=k) [L_uj in Rel_u] / log2(j+1)) / (sum_(j<=min(k,|Rel_u|)) 1 / log2(j+1))",
        family="ranking",
        needs=("lists",),
        direction="higher",
        averaging=_USERS,
        candidates=CANDIDATES,
        relevance=_RELEVANT + ", binary gain",
        cold_policy=_COLD,
        source="Järvelin and Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques",
        unit="share",
    )
    label: ClassVar[str] = "NDCG"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Compute the gain of every user's list against the ideal one."""
        discounts = 1 / np.log2(np.arange(2, self.k + 2))
        gains = (evaluation.hits * discounts).sum(axis=1)
        ideal = np.append(0.0, np.cumsum(discounts))[np.minimum(evaluation.n_relevant, self.k)]
        return _mean_over_truth(gains, ideal, evaluation)


@dataclass(frozen=True)
class Recall(CutOff):
    """Share of a user's relevant items that the first ``k`` hold, in [0, 1]."""

    contract: ClassVar[Contract] = Contract(
        title="share of the relevant items found in the top k",
        formula="mean_u |L_u & Rel_u| / |Rel_u|",
        family="ranking",
        needs=("lists",),
        direction="higher",
        averaging=_USERS,
        candidates=CANDIDATES,
        relevance=_RELEVANT,
        cold_policy=_COLD,
        source=_HERLOCKER,
        unit="share",
    )
    label: ClassVar[str] = "Recall"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Divide hits by all relevant items, never by ``min(k, |Rel_u|)``."""
        return _mean_over_truth(_n_hits(evaluation.hits), evaluation.n_relevant, evaluation)


@dataclass(frozen=True)
class Precision(CutOff):
    """Share of the ``k`` places that hold a relevant item, in [0, 1]; places left empty count as misses."""

    contract: ClassVar[Contract] = Contract(
        title="share of the top k that is relevant",
        formula="mean_u |L_u & Rel_u| / k",
        family="ranking",
        needs=("lists",),
        direction="higher",
        averaging=_USERS,
        candidates=CANDIDATES,
        relevance=_RELEVANT,
        cold_policy=_COLD,
        source=_HERLOCKER,
        unit="share",
    )
    label: ClassVar[str] = "Precision"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Divide hits by ``k``, never by the length of a shorter list."""
        hits = _n_hits(evaluation.hits)
        return _mean_over_truth(hits, np.full(len(hits), self.k), evaluation)


@dataclass(frozen=True)
class HitRate(CutOff):
    """Share of users whose first ``k`` hold at least one relevant item, in [0, 1]."""

    contract: ClassVar[Contract] = Contract(
        title="share of users with a relevant item in the top k",
        formula="mean_u [|L_u & Rel_u| >= 1]",
        family="ranking",
        needs=("lists",),
        direction="higher",
        averaging=_USERS,
        candidates=CANDIDATES,
        relevance=_RELEVANT,
        cold_policy=_COLD,
        source="Deshpande and Karypis 2004, Item-based top-N recommendation algorithms",
        unit="share",
    )
    label: ClassVar[str] = "HitRate"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Ask of every list whether it hits at all."""
        hit = _hit_at_all(evaluation.hits)
        return _mean_over_truth(hit, np.ones(len(hit)), evaluation)


@dataclass(frozen=True)
class MRR(CutOff):
    """Mean reciprocal rank of the first relevant item among the first ``k``, in [0, 1]; 0 for a list without one."""

    contract: ClassVar[Contract] = Contract(
        title="reciprocal rank of the first relevant item in the top k",
        formula="mean_u 1 / min{j <= k: L_uj in Rel_u}, 0 where there is no such j",
        family="ranking",
        needs=("lists",),
        direction="higher",
        averaging=_USERS,
        candidates=CANDIDATES,
        relevance=_RELEVANT,
        cold_policy=_COLD,
        source="Voorhees 1999, The TREC-8 question answering track report",
        unit="share",
    )
    label: ClassVar[str] = "MRR"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Look for the first hit of every list."""
        hits = evaluation.hits
        first = hits.argmax(axis=1) + 1.0
        return _mean_over_truth(_hit_at_all(hits), first, evaluation)


@dataclass(frozen=True)
class MAP(CutOff):
    """Mean average precision of the first ``k``, in [0, 1]; 1 = relevant items fill the first places.

    The precision at every hit is averaged over ``min(k, |Rel_u|)``, the most hits a list can have, so that 1 can be
    reached. Where others divide by ``|Rel_u|``, users with more than ``k`` relevant items have lower values.
    """

    contract: ClassVar[Contract] = Contract(
        title="mean average precision of the top k",
        formula="mean_u (sum_(j<=k) [L_uj in Rel_u] |{l <= j: L_ul in Rel_u}| / j) / min(k, |Rel_u|)",
        family="ranking",
        needs=("lists",),
        direction="higher",
        averaging=_USERS,
        candidates=CANDIDATES,
        relevance=_RELEVANT,
        cold_policy=_COLD,
        source="Buckley and Voorhees 2000, Evaluating evaluation measure stability; cut at k as in McFee et al. 2012, "
        "The million song dataset challenge",
        unit="share",
    )
    label: ClassVar[str] = "MAP"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum the precision at every hit, over the most hits possible."""
        hits = evaluation.hits
        precision = np.cumsum(hits, axis=1) / np.arange(1, self.k + 1)
        return _mean_over_truth((precision * hits).sum(axis=1), np.minimum(evaluation.n_relevant, self.k), evaluation)


def _n_hits(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the number of hits in every list, shape (t, k) -> (t,)."""
    counts: NDArray[np.float64] = hits.sum(axis=1, dtype=np.float64)
    return counts


def _hit_at_all(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return 1 for every list with a hit, else 0, shape (t, k) -> (t,)."""
    return np.minimum(_n_hits(hits), 1.0)


def _mean_over_truth(gained: NDArray[np.float64], possible: NDArray[Any], evaluation: Evaluation) -> PerUser:
    """Average ``gained / possible``, both shape (t,), over the users with a relevant test item."""
    counts = evaluation.n_relevant > 0
    shares = np.divide(gained, possible, out=np.zeros(len(gained)), where=counts)
    return PerUser(shares, counts.astype(np.float64))

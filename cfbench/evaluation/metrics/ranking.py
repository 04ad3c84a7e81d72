"""Accuracy of top-k lists against the relevant test items: full ranking of the catalogue, never sampled."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, PerUser
from cfbench.evaluation.metrics.metric import HERLOCKER, RELEVANCE, of_hits


class NDCG(CutOff):
    """Normalised discounted cumulative gain of the first ``k``, in [0, 1]; 1 is the best order possible.

    Gain is binary; the ideal list holds ``min(k, |Rel_u|)`` relevant items first.
    """

    label: ClassVar[str] = "NDCG"
    contract: ClassVar[Contract] = of_hits(
        title="normalised discounted cumulative gain of the top k",
        formula="mean_u (sum_(j<=k) [L_uj in Rel_u] / log2(j+1)) / (sum_(j<=min(k,|Rel_u|)) 1 / log2(j+1))",
        relevance=RELEVANCE + ", binary gain",
        source="Järvelin and Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Compute the gain of every user's list against the ideal one."""
        discounts = 1 / np.log2(np.arange(2, self.k + 2))
        gains = (evaluation.hits * discounts).sum(axis=1)
        ideal = np.append(0.0, np.cumsum(discounts))[np.minimum(evaluation.n_relevant, self.k)]
        return evaluation.mean_over_relevant(gains, ideal)


class Recall(CutOff):
    """Share of a user's relevant items that the first ``k`` hold, in [0, 1]."""

    label: ClassVar[str] = "Recall"
    contract: ClassVar[Contract] = of_hits(
        title="share of the relevant items found in the top k",
        formula="mean_u |L_u & Rel_u| / |Rel_u|",
        source=HERLOCKER,
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Divide hits by all relevant items, never by ``min(k, |Rel_u|)``."""
        return evaluation.mean_over_relevant(evaluation.hits.sum(axis=1), evaluation.n_relevant)


class Precision(CutOff):
    """Share of the ``k`` places that hold a relevant item, in [0, 1]; places left empty count as misses."""

    label: ClassVar[str] = "Precision"
    contract: ClassVar[Contract] = of_hits(
        title="share of the top k that is relevant",
        formula="mean_u |L_u & Rel_u| / k",
        source=HERLOCKER,
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Divide hits by ``k``, never by the length of a shorter list."""
        return evaluation.mean_over_relevant(evaluation.hits.sum(axis=1), self.k)


class HitRate(CutOff):
    """Share of users whose first ``k`` hold at least one relevant item, in [0, 1]."""

    label: ClassVar[str] = "HitRate"
    contract: ClassVar[Contract] = of_hits(
        title="share of users with a relevant item in the top k",
        formula="mean_u [|L_u & Rel_u| >= 1]",
        source="Deshpande and Karypis 2004, Item-based top-N recommendation algorithms",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Count the lists with a hit."""
        return evaluation.mean_over_relevant(np.any(evaluation.hits, axis=1), 1)


class MRR(CutOff):
    """Mean reciprocal rank of the first relevant item among the first ``k``, in [0, 1]; 0 for a list without one."""

    label: ClassVar[str] = "MRR"
    contract: ClassVar[Contract] = of_hits(
        title="reciprocal rank of the first relevant item in the top k",
        formula="mean_u 1 / min{j <= k: L_uj in Rel_u}, 0 where there is no such j",
        source="Voorhees 1999, The TREC-8 question answering track report",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Find the first hit of every list."""
        hits = evaluation.hits
        return evaluation.mean_over_relevant(np.any(hits, axis=1), hits.argmax(axis=1) + 1.0)


class MAP(CutOff):
    """Mean average precision of the first ``k``, in [0, 1]; 1 = relevant items fill the first places.

    The precision at every hit is averaged over ``min(k, |Rel_u|)``, the most hits a list can have, so that 1 can be
    reached. Where others divide by ``|Rel_u|``, users with more than ``k`` relevant items have lower values.
    """

    label: ClassVar[str] = "MAP"
    contract: ClassVar[Contract] = of_hits(
        title="mean average precision of the top k",
        formula="mean_u (sum_(j<=k) [L_uj in Rel_u] |{l <= j: L_ul in Rel_u}| / j) / min(k, |Rel_u|)",
        source="Buckley and Voorhees 2000, Evaluating evaluation measure stability; cut at k as in McFee et al. 2012, "
        "The million song dataset challenge",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum the precision at every hit, over the most hits possible."""
        precision = np.cumsum(evaluation.hits, axis=1) / np.arange(1, self.k + 1)
        most = np.minimum(evaluation.n_relevant, self.k)
        return evaluation.mean_over_relevant((precision * evaluation.hits).sum(axis=1), most)

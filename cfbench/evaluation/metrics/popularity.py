"""How popular the recommended items are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.list_means import mean_of_lists
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import CANDIDATES, COLD_LISTS, USERS_WITH_LIST
from cfbench.evaluation.metrics.sums import PerUser


@dataclass(frozen=True)
class ARP(CutOff):
    """Average recommendation popularity: training users of the items in a list, in users; at least 1."""

    contract: ClassVar[Contract] = Contract(
        title="average popularity of the recommended items",
        formula="mean_u (sum_(i in L_u) phi(i)) / |L_u|, phi(i) = distinct training users of i",
        family="popularity bias",
        needs=("lists",),
        direction="lower",
        averaging=USERS_WITH_LIST,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="Yin et al. 2012, Challenging the long tail recommendation",
        unit="users",
        display=".1f",
    )
    label: ClassVar[str] = "ARP"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average ``item_popularity`` over every list."""
        return mean_of_lists(evaluation.lists, evaluation.item_popularity)


@dataclass(frozen=True)
class APLT(CutOff):
    """Average share of long-tail items in a list, in [0, 1].

    The tail is what lies outside the smallest set of items that covers 80 % of the training interactions.
    """

    contract: ClassVar[Contract] = Contract(
        title="average share of long-tail items in the lists",
        formula="mean_u |L_u & tail| / |L_u|, tail = outside the smallest set with 80 % of training rows",
        family="popularity bias",
        needs=("lists",),
        direction="higher",
        averaging=USERS_WITH_LIST,
        candidates=CANDIDATES,
        cold_policy=COLD_LISTS,
        source="Abdollahpouri et al. 2017, Controlling popularity bias in learning-to-rank recommendation",
        unit="share",
        display=".1%",
    )
    label: ClassVar[str] = "APLT"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average tail membership over every list."""
        return mean_of_lists(evaluation.lists, evaluation.tail)

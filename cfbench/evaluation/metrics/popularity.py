"""Popularity of the recommended items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, PerUser
from cfbench.evaluation.metrics.contracts import of_lists


@dataclass(frozen=True)
class ARP(CutOff):
    """Average recommendation popularity: training users of the items in a list, in users; at least 1."""

    label: ClassVar[str] = "ARP"
    contract: ClassVar[Contract] = of_lists(
        title="average popularity of the recommended items",
        formula="mean_u (sum_(i in L_u) phi(i)) / |L_u|, phi(i) = distinct training users of i",
        family="popularity bias",
        direction="lower",
        source="Yin et al. 2012, Challenging the long tail recommendation",
        unit="users",
        display=".1f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average ``item_popularity`` over every list."""
        return evaluation.mean_over_lists(evaluation.item_popularity)


@dataclass(frozen=True)
class APLT(CutOff):
    """Average share of long-tail items in a list, in [0, 1].

    The tail is what lies outside the smallest set of items that covers 80 % of the training interactions.
    """

    label: ClassVar[str] = "APLT"
    contract: ClassVar[Contract] = of_lists(
        title="average share of long-tail items in the lists",
        formula="mean_u |L_u & tail| / |L_u|, tail = outside the smallest set with 80 % of training rows",
        family="popularity bias",
        source="Abdollahpouri et al. 2017, Controlling popularity bias in learning-to-rank recommendation",
        display=".1%",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average tail membership over every list."""
        return evaluation.mean_over_lists(evaluation.tail)

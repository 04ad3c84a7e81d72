"""Errors of predicted ratings against the popularity of the item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Breakdown, Contract
from cfbench.evaluation.metrics.phrases import CLIPPED, TEST_ROWS
from cfbench.evaluation.metrics.strata import errors_by_stratum


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
        family="popularity bias",
        needs=("ratings",),
        direction="none",
        averaging="all test rows of the decile alike",
        cold_policy="items outside training apart, as 'cold'; " + TEST_ROWS,
        clipping=CLIPPED,
        source="cfbench; strata of popularity after Steck 2011, Item popularity and recommendation accuracy",
        unit="rating",
        figure="signed error",
        display="+.3f",
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
                "tail cut": float(evaluation.item_popularity[evaluation.head].min()),
                "tail share": float(evaluation.tail.mean()),
            },
        )

"""Accuracy against how much of a user, or of an item, the model has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Breakdown, Contract
from cfbench.evaluation.metrics.strata import errors_by_stratum
from cfbench.model.ratings import Codes

STRATA = ("0", "1-5", "6-20", "21-100", ">100")
"""Strata by number of training ratings."""

_FIRST_OF_NEXT = np.array([1, 6, 21, 101])
_FIGURES = "sqrt(mean (p - r)^2), mean |p - r|, mean (p - r), prediction coverage, rows, filled rows, per stratum"
_SOURCE = "cfbench; the notion: Schein et al. 2002, Methods and metrics for cold-start recommendations"


@dataclass(frozen=True)
class ColdUserStrata:
    """RMSE, MAE and more by the number of training ratings of the test row's user; 0 = a new user."""

    contract: ClassVar[Contract] = Contract(
        title="errors by the user's number of training ratings",
        formula=_FIGURES + " of n_u = training ratings of u: " + ", ".join(STRATA),
        family="cold start",
        needs=("ratings",),
        direction="lower",
        averaging="all test rows of the stratum alike",
        cold_policy="users outside training are the stratum 0; unanswered rows get the training mean",
        clipping="predictions clipped to the rating scale",
        source=_SOURCE,
        unit="rating",
        figure="RMSE",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "cold-users"

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Sort the test rows into the strata of their users."""
        split = evaluation.split
        return _by_count(evaluation, split.train.user_counts, split.test.users)


@dataclass(frozen=True)
class ColdItemStrata:
    """RMSE, MAE and more by the number of training ratings of the test row's item; 0 = a new item."""

    contract: ClassVar[Contract] = Contract(
        title="errors by the item's number of training ratings",
        formula=_FIGURES + " of n_i = training ratings of i: " + ", ".join(STRATA),
        family="cold start",
        needs=("ratings",),
        direction="lower",
        averaging="all test rows of the stratum alike",
        cold_policy="items outside training are the stratum 0; unanswered rows get the training mean",
        clipping="predictions clipped to the rating scale",
        source=_SOURCE,
        unit="rating",
        figure="RMSE",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "cold-items"

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Sort the test rows into the strata of their items."""
        split = evaluation.split
        return _by_count(evaluation, split.train.item_counts, split.test.items)


def _by_count(evaluation: Evaluation, counts: NDArray[np.int64], codes: Codes) -> Breakdown:
    """Break errors down by the training count of ``codes``, shape (m,); the unknown code counts 0."""
    seen = np.append(counts, 0)[codes]
    stratum = np.searchsorted(_FIRST_OF_NEXT, seen, side="right")
    rows = errors_by_stratum(evaluation, stratum, STRATA)
    return Breakdown(rows, {"fallback (training mean)": evaluation.split.train.mean})

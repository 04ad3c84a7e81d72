"""Representation bias: what the few very active users hold, and who is served how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Breakdown, Contract
from cfbench.evaluation.metrics.phrases import CLIPPED, TEST_ROWS
from cfbench.evaluation.metrics.strata import errors_by_stratum

GROUPS = ("top 1 %", "next 9 %", "next 40 %", "other 50 %", "cold")
"""Groups of test users from the most to the least active, and those without training ratings."""

_BORDERS = (100, 10, 2)  # the most active 1/100, 1/10 and 1/2 end here


@dataclass(frozen=True)
class UserActivity:
    """Errors by activity of the test row's user; the most active 1 %, the next 9 %, the next 40 %, the rest, cold.

    A border is rounded up to whole users; users with equally many training ratings follow the data set's user
    table. Facts: the share of all training ratings that the most active 1 % and 10 % of training users hold.
    """

    contract: ClassVar[Contract] = Contract(
        title="errors by the user's activity, and what the most active users hold",
        formula=(
            "sqrt(mean (p - r)^2), mean |p - r|, mean (p - r), prediction coverage, rows, filled rows per group of "
            "test users ordered by training ratings n_u: " + ", ".join(GROUPS)
        ),
        family="representation",
        needs=("ratings",),
        direction="lower",
        averaging="all test rows of the group alike",
        cold_policy="users outside training apart, as 'cold'; " + TEST_ROWS,
        clipping=CLIPPED,
        source="cfbench; activity groups after Li et al. 2021, User-oriented fairness in recommendation",
        unit="rating",
        figure="RMSE",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "user-activity"

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Order the test users by training ratings and break the errors down by group."""
        counts = evaluation.split.train.user_counts
        group = _groups(np.append(counts, 0)[evaluation.codes])
        return Breakdown(
            rows=errors_by_stratum(evaluation, group[evaluation.cluster], GROUPS),
            facts={f"held by top {100 // part} %": _held(counts, part) for part in _BORDERS[:2]},
        )


def _groups(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index into ``GROUPS`` of users with ``counts`` training ratings, shape (t,)."""
    order = np.argsort(-counts, kind="stable")
    known = int(np.count_nonzero(counts))
    borders = [-(-known // part) for part in _BORDERS]
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = np.searchsorted([*borders, known], np.arange(len(counts)), side="right")
    return groups


def _held(counts: NDArray[np.int64], part: int) -> float:
    """Return the share of ratings that the most active 1 / ``part`` of users hold, rounded up to whole users."""
    most_active = np.sort(counts)[::-1][: -(-len(counts) // part)]
    return float(most_active.sum() / counts.sum())

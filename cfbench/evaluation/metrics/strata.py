"""Errors by stratum of the test rows: cold users and items, popularity deciles, activity of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Breakdown, Contract, Evaluation, PerUser
from cfbench.evaluation.metrics.metric import FILLED_ROWS, of_rows
from cfbench.model.arrays import Codes

COUNT_STRATA = ("0", "1-5", "6-20", "21-100", ">100")  # by number of training ratings
_FIRST_OF_NEXT = np.array([1, 6, 21, 101])
ACTIVITY_GROUPS = ("top 1 %", "next 9 %", "next 40 %", "other 50 %", "cold")  # from the most to the least active users
_BORDERS = (100, 10, 2)  # the most active 1/100, 1/10 and 1/2 end here
_FIGURES = "sqrt(mean (p - r)^2), mean |p - r|, mean (p - r), prediction coverage, rows, filled rows"


def errors_by_stratum(
    evaluation: Evaluation, stratum: NDArray[np.integer[Any]], labels: Sequence[str], facts: Mapping[str, float]
) -> Breakdown:
    """Return a table of ``facts`` and, for every label, the figures of the test rows of that stratum.

    Args:
        evaluation: output with predicted ratings.
        stratum: index into ``labels`` of every test row, shape (m,).
        labels: names of the strata, in the order of the table.
        facts: figures of the whole.

    Returns:
        By label: ``RMSE``, ``MAE`` and ``signed error`` (mean of prediction minus truth), in rating units, and
        ``prediction-coverage`` (share), as sums over users; ``n`` (test rows) and ``filled`` (rows with the
        fallback), counts. A stratum without rows has n = 0 and NaN for the means.
    """
    cells = evaluation.user_of_row * len(labels) + stratum
    shape = (len(evaluation.test_user_positions), len(labels))

    def summed(values: NDArray[Any] | None) -> NDArray[np.float64]:
        """Sum over the rows of each user in each stratum, shape (labels, t)."""
        sums = np.bincount(cells, weights=values, minlength=shape[0] * shape[1])
        return np.ascontiguousarray(sums.reshape(shape).T, dtype=np.float64)

    errors = evaluation.errors
    sums = map(summed, (None, evaluation.predicted, errors, np.abs(errors), np.square(errors)))
    rows: dict[str, dict[str, PerUser | float]] = {
        label: {
            "RMSE": PerUser(squares, n, rooted=True),
            "MAE": PerUser(sizes, n),
            "signed error": PerUser(signed, n),
            "prediction-coverage": PerUser(predicted, n),
            "n": float(n.sum()),
            "filled": float(n.sum() - predicted.sum()),
        }
        for label, n, predicted, signed, sizes, squares in zip(labels, *sums, strict=True)
    }
    return Breakdown(rows, facts)


def _of_counts(entity: str, symbol: str) -> Contract:
    """Return the contract of errors by the number of training ratings of ``entity``, ``symbol`` in formulas."""
    return of_rows(
        title=f"errors by the {entity}'s number of training ratings",
        formula=f"{_FIGURES}, per stratum of n_{symbol} = training ratings of {symbol}: {', '.join(COUNT_STRATA)}",
        family="cold start",
        averaging="all test rows of the stratum alike",
        cold_policy=f"{entity}s outside training are the stratum 0; {FILLED_ROWS}",
        source="cfbench; the notion: Schein et al. 2002, Methods and metrics for cold-start recommendations",
        figure="RMSE",
    )


def _by_count(evaluation: Evaluation, counts: NDArray[np.int64], codes: Codes) -> Breakdown:
    """Break errors down by the training count of ``codes``, shape (m,); the unknown code counts 0."""
    stratum = np.searchsorted(_FIRST_OF_NEXT, np.append(counts, 0)[codes], side="right")
    facts = {"fallback (training mean)": evaluation.split.train.mean}
    return errors_by_stratum(evaluation, stratum, COUNT_STRATA, facts)


class ColdUserStrata:
    """RMSE, MAE and more by the number of training ratings of the test row's user; 0 = a new user."""

    name: ClassVar[str] = "cold-users"
    contract: ClassVar[Contract] = _of_counts("user", "u")

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Sort the test rows into the strata of their users."""
        return _by_count(evaluation, evaluation.split.train.user_counts, evaluation.split.test.users)


class ColdItemStrata:
    """RMSE, MAE and more by the number of training ratings of the test row's item; 0 = a new item."""

    name: ClassVar[str] = "cold-items"
    contract: ClassVar[Contract] = _of_counts("item", "i")

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Sort the test rows into the strata of their items."""
        return _by_count(evaluation, evaluation.split.train.item_counts, evaluation.split.test.items)


class PopularityDeciles:
    """Errors of predicted ratings by popularity decile of the item: 1 = least, 10 = most popular.

    A decile is a tenth of the catalogue's items, not of the test rows; equally popular items follow the data
    set's item table. Cold items are a row of their own. Facts: ``tail cut`` = phi of the least popular head
    item, ``tail share`` = the tail's share of the catalogue's items.
    """

    name: ClassVar[str] = "popularity-deciles"
    contract: ClassVar[Contract] = of_rows(
        title="errors by popularity decile of the item",
        formula="mean (p - r), sqrt(mean (p - r)^2) and more per tenth of the items ordered by phi",
        family="popularity bias",
        direction="none",
        averaging="all test rows of the decile alike",
        cold_policy=f"items outside training apart, as 'cold'; {FILLED_ROWS}",
        source="cfbench; strata of popularity after Steck 2011, Item popularity and recommendation accuracy",
        figure="signed error",
        display="+.3f",
    )

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Sort the test rows into the deciles of their items."""
        n_items = evaluation.split.train.n_items
        decile = np.full(n_items + 1, 10)  # the last is the unknown item
        decile[evaluation.by_popularity[::-1]] = np.arange(n_items) * 10 // n_items
        labels = [*map(str, range(1, 11)), "cold"]
        tail_cut = float(evaluation.item_popularity[evaluation.head].min())
        facts = {"tail cut": tail_cut, "tail share": float(evaluation.tail.mean())}
        return errors_by_stratum(evaluation, decile[evaluation.split.test.items], labels, facts)


def held_by_most_active(counts: NDArray[np.int64], part: int) -> float:
    """Return the share of all ratings that 1/``part`` of the users hold, the most active ones, rounded up."""
    return float(np.sort(counts)[::-1][: -(-len(counts) // part)].sum() / counts.sum())


class UserActivity:
    """Errors by activity of the test row's user; the most active 1 %, the next 9 %, the next 40 %, the rest, cold.

    A border is rounded up to whole users; users with equally many training ratings follow the data set's user
    table. Facts: the share of all training ratings that the most active 1 % and 10 % of training users hold.
    """

    name: ClassVar[str] = "user-activity"
    contract: ClassVar[Contract] = of_rows(
        title="errors by the user's activity, and what the most active users hold",
        formula=f"{_FIGURES} per group of test users ordered by training ratings n_u: {', '.join(ACTIVITY_GROUPS)}",
        family="representation",
        averaging="all test rows of the group alike",
        cold_policy=f"users outside training apart, as 'cold'; {FILLED_ROWS}",
        source="cfbench; activity groups after Li et al. 2021, User-oriented fairness in recommendation",
        figure="RMSE",
    )

    def measure(self, evaluation: Evaluation) -> Breakdown:
        """Order the test users by training ratings and break the errors down by group."""
        counts = evaluation.split.train.user_counts
        of_tested = np.append(counts, 0)[evaluation.user_codes]
        known = int(np.count_nonzero(of_tested))
        ends = [*(-(-known // part) for part in _BORDERS), known]
        group = np.empty(len(of_tested), dtype=np.int64)
        order = np.argsort(-of_tested, kind="stable")
        group[order] = np.searchsorted(ends, np.arange(len(of_tested)), side="right")
        facts = {f"held by top {100 // part} %": held_by_most_active(counts, part) for part in _BORDERS[:2]}
        return errors_by_stratum(evaluation, group[evaluation.user_of_row], ACTIVITY_GROUPS, facts)

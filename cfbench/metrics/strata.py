"""Errors by stratum of the test rows: the common part of cold-start and popularity tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.metrics.evaluation import Evaluation


def errors_by_stratum(
    evaluation: Evaluation, stratum: NDArray[np.integer[Any]], labels: Sequence[str]
) -> Mapping[str, Mapping[str, float]]:
    """Return, for every label, what happened on the test rows of that stratum.

    Args:
        evaluation: answers with predicted ratings.
        stratum: index into ``labels`` of every test row, shape (m,).
        labels: names of the strata, in the order of the table.

    Returns:
        By label: ``RMSE``, ``MAE`` and ``signed error`` (mean of prediction minus truth), in rating units;
        ``answered`` (share), ``n`` (test rows), ``filled`` (rows with the fallback). A stratum without rows
        has n = 0 and NaN for the means.
    """

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        sums = np.bincount(stratum, weights=values, minlength=len(labels))
        return sums.astype(np.float64, copy=False)

    n = summed(np.ones(len(stratum)))
    rows = np.where(n > 0, n, np.nan)
    answered = summed(evaluation.answered)
    figures = {
        "RMSE": np.sqrt(summed(np.square(evaluation.errors)) / rows),
        "MAE": summed(np.abs(evaluation.errors)) / rows,
        "signed error": summed(evaluation.errors) / rows,
        "answered": answered / rows,
        "n": n,
        "filled": n - answered,
    }
    return {
        label: {name: float(column[index]) for name, column in figures.items()} for index, label in enumerate(labels)
    }

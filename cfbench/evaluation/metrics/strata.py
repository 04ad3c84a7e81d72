"""Errors by stratum of the test rows: the common part of cold-start, popularity and activity tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.sums import PerUser


def errors_by_stratum(
    evaluation: Evaluation, stratum: NDArray[np.integer[Any]], labels: Sequence[str]
) -> Mapping[str, Mapping[str, PerUser | float]]:
    """Return, for every label, what happened on the test rows of that stratum.

    Args:
        evaluation: answers with predicted ratings.
        stratum: index into ``labels`` of every test row, shape (m,).
        labels: names of the strata, in the order of the table.

    Returns:
        By label: ``RMSE``, ``MAE`` and ``signed error`` (mean of prediction minus truth), in rating units, and
        ``prediction-coverage`` (share), as sums over users; ``n`` (test rows) and ``filled`` (rows with the
        fallback), counts. A stratum without rows has n = 0 and NaN for the means.
    """
    cells = evaluation.cluster * len(labels) + stratum
    shape = (len(evaluation.people), len(labels))

    def summed(values: NDArray[Any] | None) -> NDArray[np.float64]:
        """Sum over the rows of each user in each stratum, shape (labels, t)."""
        sums = np.bincount(cells, weights=values, minlength=shape[0] * shape[1])
        return np.ascontiguousarray(sums.reshape(shape).T, dtype=np.float64)

    rows, predicted = summed(None), summed(evaluation.predicted)
    squares, sizes, errors = (
        summed(np.square(evaluation.errors)),
        summed(np.abs(evaluation.errors)),
        summed(evaluation.errors),
    )
    return {
        label: {
            "RMSE": PerUser(squares[index], rows[index], rooted=True),
            "MAE": PerUser(sizes[index], rows[index]),
            "signed error": PerUser(errors[index], rows[index]),
            "prediction-coverage": PerUser(predicted[index], rows[index]),
            "n": float(rows[index].sum()),
            "filled": float(rows[index].sum() - predicted[index].sum()),
        }
        for index, label in enumerate(labels)
    }

"""Correlation of a model's scores with the popularity of the items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, Evaluation, Single

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PopularityCorrelation:
    """Rank correlation of an item's mean predicted score with its popularity, in [-1, 1].

    1 = the scores order the catalogue by popularity. The interval is that of the delete-a-group jackknife over the
    groups of users behind the mean scores, with Student's t of g - 1 degrees of freedom. NaN where all scores, or
    all popularities, are equal.
    """

    name: ClassVar[str] = "popularity-correlation"
    contract: ClassVar[Contract] = Contract(
        title="Spearman correlation of mean predicted score with popularity",
        formula="Pearson correlation of the ranks of mean_u s_ui and of phi(i) over the catalogue; ties share ranks",
        family="popularity bias",
        needs=("scores",),
        direction="none",
        averaging="items of the training catalogue alike; scores as the mean of means over equal groups of users",
        candidates="training catalogue, all of it, also what a user has in training",
        cold_policy="cold users count; items for which the model has no score at all are left out",
        source="Spearman 1904; interval: Kott 2001, The delete-a-group jackknife",
    )

    def measure(self, evaluation: Evaluation) -> Single:
        """Correlate over all groups, and over all but each one for the interval."""
        means, popularity = evaluation.score_means.astype(np.float64), evaluation.item_popularity
        value, groups = _correlation(means, popularity), len(means)
        n = int((~np.isnan(means)).any(axis=0).sum())
        without = np.array([_correlation(np.delete(means, group, axis=0), popularity) for group in range(groups)])
        if groups < 2 or np.isnan(value) or np.isnan(without).any():
            return Single(value, n)
        from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

        deviation = np.sqrt((groups - 1) / groups * np.square(without - value).sum())
        reach = float(stdtrit(groups - 1, (1 + _CONFIDENCE) / 2) * deviation)
        return Single(value, n, (max(value - reach, -1.0), min(value + reach, 1.0)))


def _correlation(means: NDArray[np.float64], item_popularity: NDArray[np.int64]) -> float:
    """Return Spearman's rho of the mean over groups, shape (g, n_items), with popularity.

    NaN scores do not count; the result is NaN where scores or popularities do not vary.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - half a second to import

    known = ~np.isnan(means)
    counts = known.sum(axis=0)
    scored = counts > 0
    scores = np.where(known, means, 0).sum(axis=0)[scored] / counts[scored]
    if len(scores) < 2:
        return float("nan")
    x, y = (np.asarray(rankdata(values), dtype=np.float64) for values in (scores, item_popularity[scored]))
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else float("nan")

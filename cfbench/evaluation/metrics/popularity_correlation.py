"""How far the scores of a model follow the popularity of the items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract, Single

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PopularityCorrelation:
    """Rank correlation of an item's mean predicted score with its popularity, in [-1, 1].

    1 = the scores order the catalogue by popularity. The interval is that of the delete-a-group jackknife over the
    groups of users behind the mean scores, with Student's t of g - 1 degrees of freedom. NaN where all scores, or
    all popularities, are equal.
    """

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

    @property
    def name(self) -> str:
        """The standard name."""
        return "popularity-correlation"

    def measure(self, evaluation: Evaluation) -> Single:
        """Correlate over all groups, and over all but each one for the interval."""
        means = evaluation.score_means.astype(np.float64)
        value = _correlation(means, evaluation.item_popularity)
        n = int((~np.isnan(means)).any(axis=0).sum())
        replicates = [
            _correlation(np.delete(means, group, axis=0), evaluation.item_popularity) for group in range(len(means))
        ]
        return Single(value, n, _jackknife_interval(value, np.array(replicates)))


def _correlation(means: NDArray[np.float64], item_popularity: NDArray[np.int64]) -> float:
    """Return Spearman's rho of the mean over groups, shape (g, n_items), with popularity; NaN groups do not count."""
    said = ~np.isnan(means)
    counts = said.sum(axis=0)
    scored = counts > 0
    scores = np.where(said, means, 0).sum(axis=0)[scored] / counts[scored]
    return _pearson(_ranks(scores), _ranks(item_popularity[scored]))


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean ranks from 1."""
    from scipy.stats import rankdata  # noqa: PLC0415 - half a second to import

    return np.asarray(rankdata(values), dtype=np.float64)


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the correlation, NaN where either does not vary."""
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else float("nan")


def _jackknife_interval(value: float, replicates: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the delete-a-group interval within [-1, 1], or None for fewer than two groups or a NaN."""
    groups = len(replicates)
    if groups < 2 or np.isnan(value) or np.isnan(replicates).any():
        return None
    from scipy.special import stdtrit  # noqa: PLC0415 - as slow to import

    deviation = np.sqrt((groups - 1) / groups * np.square(replicates - value).sum())
    reach = float(stdtrit(groups - 1, (1 + _CONFIDENCE) / 2) * deviation)
    return max(value - reach, -1.0), min(value + reach, 1.0)

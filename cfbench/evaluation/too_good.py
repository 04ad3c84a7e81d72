"""Check of one model's output for what is too good to be true, by what simple predictors reach on the same rows.

Whoever has seen test ratings gives himself away by size, explaining more than can be explained, or by certainty, being
right wherever he contradicts what training suggests; how he came by the answers does not matter. What is suspicious
beside cheap predictors is compared with better ones too, so that data with much structure and little noise, where any
good model is far better than biases, give no false alarm.

The thresholds leave room on both sides: docs/security.md has the figures of honest models and of oracles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.simple_predictors import LIST_LENGTH, SimplePredictors

_LEFT = 0.72  # the least share of a simple predictor's squared error that remains: of its RMSE, 85 %
_BOLD_ERROR = 0.6  # the least mean square error, over its own, where a simple predictor is contradicted by its RMSE
_SUSPICIOUS = 1.2  # times both: what calls for a second look, by a better predictor
_ODDS = 2.0  # the most odds of a hit over those of simple lists
_CERTAIN = 4.0  # standard errors over users

Floats = NDArray[np.float64]


def too_good(evaluation: Evaluation) -> Iterator[str]:
    """Yield in words what is too good to be true of a model's predictions and of its lists."""
    simple = SimplePredictors(evaluation.split)
    if evaluation.output.predictions is not None:
        cheap = _Contradiction(evaluation, simple, simple.damped_biases)
        if cheap.left < _SUSPICIOUS * _LEFT or cheap.bold_error < _SUSPICIOUS * _BOLD_ERROR:
            yield from _beside_factors(evaluation, simple)
        yield from _below_noise(evaluation, simple)
    if evaluation.output.lists is not None:
        yield from _list_findings(evaluation, simple)


def _beside_factors(evaluation: Evaluation, simple: SimplePredictors) -> list[str]:
    """Return what is too good in words, beside each of some predictors by factors: beside one, a model is plausible."""
    findings: list[str] = []
    for predicted in simple.by_factors:
        if not (findings := [*_Contradiction(evaluation, simple, predicted).findings()]):
            break
    return findings


class _Contradiction:
    """How predictions differ from those of a simple predictor, and how often rightly.

    Attributes:
        left: share of the predictor's squared error that remains.
        bold_error: mean square error where it is contradicted by its RMSE or more, over its own; infinity for nowhere.
    """

    def __init__(self, evaluation: Evaluation, simple: SimplePredictors, reference: Floats) -> None:
        """Take the predictor's ratings, shape (m,); rows where they are NaN, or that training has, are left out."""
        rows = np.isfinite(reference) & ~simple.rated_before
        wanted = np.where(rows, evaluation.split.test.ratings - reference, 0.0)
        moved = np.where(rows, evaluation.filled - reference, 0.0)
        # Whoever moves a little towards the truth is found like one who tells it: moves are scaled to fit best.
        scale = max(0.0, (moved @ wanted) / max(moved @ moved, 1e-12))
        self._evaluation, self._squares = evaluation, np.square(wanted)
        self._remaining, self._errors = np.square(wanted - scale * moved), np.square(wanted - moved)
        self._mean = self._squares.sum() / max(1, np.count_nonzero(rows))
        self._bold = rows & (np.abs(moved) >= np.sqrt(self._mean))
        self.left = self._remaining.sum() / max(self._squares.sum(), 1e-12)
        self.bold_error = self._errors[self._bold].mean() / max(self._mean, 1e-12) if self._bold.any() else np.inf

    def findings(self) -> Iterator[str]:
        """Yield what is too good in words."""
        if _positive(self._evaluation, _LEFT * self._squares - self._remaining):
            yield f"predictions explain {1 - self.left:.0%} of the squared error that biases and factors leave"
        if _positive(self._evaluation, np.where(self._bold, _BOLD_ERROR * self._mean - self._errors, 0.0)):
            yield (
                f"predictions that differ from those of biases and factors by {np.sqrt(self._mean):.2f} or more, "
                f"{np.count_nonzero(self._bold):,}, err by {np.sqrt(self._errors[self._bold].mean()):.2f}"
            )


def _below_noise(evaluation: Evaluation, simple: SimplePredictors) -> Iterator[str]:
    """Yield an error below the noise of ratings: half the variance between two ratings of a pair, one in training."""
    rows = simple.rated_before
    change = np.where(rows, evaluation.split.test.ratings - simple.earlier_ratings, 0.0)
    change[rows] -= change[rows].mean() if rows.any() else 0.0
    noise, errors = np.square(change) / 2, np.where(rows, np.square(evaluation.errors), 0.0)
    if _positive(evaluation, _LEFT * noise - errors):
        error, floor = (np.sqrt(one[rows].mean()) for one in (errors, noise))
        yield f"predictions of pairs that training has err by {error:.2f}, two ratings of one pair by {floor:.2f}"


def _list_findings(evaluation: Evaluation, simple: SimplePredictors) -> Iterator[str]:
    """Yield hits of lists that are too many beside those of lists by popularity, and by similarity of items."""
    if not evaluation.lists.shape[1]:
        return
    of_simple = evaluation.n_relevant[simple.listed_users]
    shares = _hit_shares(evaluation.hits, evaluation.n_relevant)
    for name, hits in shares.items():
        for by in ("popularity_hits", "cosine_hits"):  # the second is computed only where the first is passed
            reached = _hit_shares(getattr(simple, by)[:, : evaluation.lists.shape[1]], of_simple)[name]
            if not _above(hits, reached):
                break
        else:
            yield f"{name} hit {hits.mean():.1%} of what they could, and {reached.mean():.1%} those of similar items"


def _hit_shares(hits: NDArray[np.bool_], n_relevant: NDArray[np.int64]) -> Mapping[str, Floats]:
    """Return the share of hits among those possible, on the first place and on the first ten, of users with any."""
    hits, possible = hits[n_relevant > 0, :LIST_LENGTH], n_relevant[n_relevant > 0]
    of_lists = hits.sum(axis=1) / np.minimum(possible, hits.shape[1])
    return {"first places": hits[:, 0].astype(np.float64), "lists": of_lists}


def _above(shares: Floats, reached: Floats) -> bool:
    """Whether the mean of shares, one for each user, has odds clearly above ``_ODDS`` times those of others' mean."""
    if not len(reached):
        return False
    likely = min(1.0, reached.mean() + _CERTAIN * reached.std() / np.sqrt(len(reached)))
    excess = shares - _ODDS * likely / (1 + (_ODDS - 1) * likely)
    return bool(excess.sum() > _CERTAIN * np.sqrt(np.square(excess).sum()))


def _positive(evaluation: Evaluation, values: Floats) -> bool:
    """Whether the sum of values of test rows, shape (m,), is clearly above 0 in a sample of other users, too."""
    of_users = evaluation.sum_by_user(values)
    return bool(of_users.sum() > _CERTAIN * np.sqrt(np.square(of_users).sum()))

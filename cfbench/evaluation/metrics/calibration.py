"""Calibration: whether lists have the genres of the user's profile in the same proportions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics import Contract, CutOff, Evaluation, NotApplicable, PerUser
from cfbench.evaluation.metrics.contracts import PROFILES, of_lists

ALPHA = 0.01
"""The share of the profile that is mixed into the list, so that a missing genre costs a finite amount."""

_NO_GENRE = ("", "(no genres listed)")  # the second is what MovieLens writes


@dataclass(frozen=True)
class Calibration(CutOff):
    """Divergence of a list's genres from the user's own, in nats; 0 = calibrated, at most -ln alpha = 4.605.

    Every item spreads one unit of weight evenly over its genres; items without any take no part.
    """

    label: ClassVar[str] = "calibration"
    contract: ClassVar[Contract] = of_lists(
        title="divergence of the genres of a list from those of the profile",
        formula="mean_u sum_g p(g|u) ln(p(g|u) / q~(g|u)), q~ = (1 - alpha) q + alpha p, alpha = 0.01, p and q = mean "
        "over the training items, and over the listed items, of [g in G_i] / |G_i|, G_i = genres of i",
        family="beyond accuracy",
        direction="lower",
        averaging="mean over test users with an item that has a genre in training and in the list",
        cold_policy=PROFILES,
        source="Steck 2018, Calibrated recommendations; all ratings weigh alike",
        unit="nats",
    )

    def measure(self, evaluation: Evaluation) -> PerUser | NotApplicable:
        """Compare genre shares; n/a where the training items have no genres."""
        dataset = evaluation.split.dataset
        column = dataset.items.columns.get("genres")
        if column is None:
            return NotApplicable(f"the items of {dataset.name} have no genres")
        weights = _genre_weights(column[evaluation.split.item_coding.positions].tolist())
        if not weights.any():
            return NotApplicable(f"no training item of {dataset.name} has a genre")
        in_profiles = evaluation.sum_over_profiles(weights)
        padded = np.concatenate([weights, np.zeros((1, weights.shape[1]))])
        in_lists = np.zeros_like(in_profiles)
        for items in evaluation.lists.T:  # place by place, for memory's sake
            in_lists += padded[items]
        counts = (in_profiles.sum(axis=1) > 0) & (in_lists.sum(axis=1) > 0)
        numerators: NDArray[np.float64] = np.where(counts, _divergence(_shares(in_profiles), _shares(in_lists)), 0)
        return PerUser(numerators, counts.astype(np.float64))


def _genre_weights(genres: Sequence[str]) -> NDArray[np.float64]:
    """Return each item's weight on every genre, shape (n_items, genres); rows sum to 1, or to 0 without genres."""
    named = [sorted({name.strip() for name in text.split("|")} - set(_NO_GENRE)) for text in genres]
    column_of = {name: column for column, name in enumerate(sorted({name for names in named for name in names}))}
    weights = np.zeros((len(named), len(column_of)))
    items = np.repeat(np.arange(len(named)), [len(names) for names in named])
    weights[items, [column_of[name] for names in named for name in names]] = 1
    return _shares(weights)


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide every row by its sum; a row of zeros stays one."""
    totals = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return KL(p || (1 - alpha) q + alpha p) of each row, shapes (t, genres) -> (t,), in nats, at least 0."""
    mixed = (1 - ALPHA) * q + ALPHA * p
    ratios = np.divide(p, mixed, out=np.ones_like(p), where=p > 0)
    return np.asarray(np.maximum(np.einsum("tg,tg->t", p, np.log(ratios)), 0))

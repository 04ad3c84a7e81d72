"""Questions asked a second time, in another order and in batches of other sizes, and how far the answers differ.

An answer must depend on its own user and item alone: neither on what was asked before nor on what is asked with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Codes, Floats

MOST_PAIRS = 4096
"""The most ratings that are asked for again."""

MOST_USERS = 24
"""The most users whose scores of the whole catalogue are asked for again."""

TOLERANCE = 1e-4
"""Difference that counts: of ratings, relative to the width of the scale; of scores, to their spread over items."""

_MOST_SCORES = 1 << 21  # that are kept for comparison
_ULPS = 4 * np.finfo(np.float32).eps  # times the answer: what a sum in single precision may lose in another order


class KeptScores:
    """Scores of some users, kept for comparison while all users are ranked.

    Attributes:
        users: codes of the users, ascending, shape (u,).
        scores: their scores of every training item, shape (u, n_items), float64.
    """

    def __init__(self, users: Codes, n_items: int, seed: int) -> None:
        """Choose among ``users``, by ``seed``."""
        users = np.unique(users)
        n_kept = min(len(users), MOST_USERS, max(2, _MOST_SCORES // n_items))
        chosen = np.random.default_rng([seed, MOST_USERS]).choice(len(users), n_kept, replace=False)
        self.users: Codes = users[np.sort(chosen)]
        self.scores = np.full((n_kept, n_items), np.nan)

    def keep(self, users: Codes, scores: Floats) -> None:
        """Take what is wanted of the ``scores`` of ``users``, shapes (b, n_items) and (b,)."""
        wanted = np.flatnonzero(np.isin(users, self.users))
        self.scores[np.searchsorted(self.users, users[wanted])] = scores[wanted]

    def changes(self, ask: Callable[[Codes], Floats], seed: int) -> NDArray[np.float64]:
        """Ask for the scores again; return share and size of the differences, see :func:`changes`.

        The unit is the spread of a user's scores over items (the root of its mean square over users).
        """
        again = np.empty_like(self.scores)
        for batch in batches(len(self.users), seed):
            again[batch] = ask(self.users[batch])
        centred = self.scores - _means(self.scores)
        return changes(self.scores, again, float(np.sqrt(_means(np.square(centred).reshape(1, -1))[0, 0])))


def ratings_again(
    pairs: NDArray[np.int32], first: Floats, ask: Callable[[Codes, Codes], Floats], width: float, seed: int
) -> NDArray[np.float64]:
    """Ask for some ratings again; return share and size of the differences, see :func:`changes`.

    Args:
        pairs: user codes above item codes, shape (2, s).
        first: the first answers to all of them, shape (s,).
        ask: returns ratings of pairs.
        width: the scale's highest rating minus its lowest, the unit.
        seed: chooses the pairs, their order and the batches.
    """
    chosen = np.random.default_rng([seed, MOST_PAIRS]).choice(len(first), min(len(first), MOST_PAIRS), replace=False)
    again = np.empty(len(chosen), dtype=np.float32)
    for batch in batches(len(chosen), seed):
        again[batch] = ask(*pairs[:, chosen[batch]])
    share, size = changes(first[chosen].astype(np.float64), again.astype(np.float64), width)
    return np.array([share, size * width])


def batches(n: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers below ``n`` in random order, in batches of 1, 64 and 4,096.

    Few are enough to tell answers that depend on the batch, and a model may take a while for every call.
    """
    order, start, size = np.random.default_rng([seed, n]).permutation(n), 0, 1
    while start < n:
        yield order[start : start + size]
        start, size = start + size, 64 * size


def changes(first: NDArray[np.float64], again: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Return the share of answers that differ, and the largest difference in units, shape (2,).

    Two answers differ where one of them is NaN and the other is not, or where they are further apart than 1e-4 units
    and than single precision explains.
    """
    gap = np.abs(first - again)
    differs = (np.isnan(first) != np.isnan(again)) | (gap > np.maximum(TOLERANCE * unit, _ULPS * np.abs(first)))
    largest = float(np.fmax.reduce(gap, axis=None, initial=0.0))
    return np.array([differs.mean(), largest / max(unit, 1e-30)])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, NaN left out, as a column; 0 where there is nothing else."""
    counts = np.count_nonzero(~np.isnan(values), axis=1, keepdims=True)
    means: NDArray[np.float64] = np.nansum(values, axis=1, keepdims=True) / np.maximum(counts, 1)
    return means

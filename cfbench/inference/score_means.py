"""Mean score of every item over a few groups of users: small enough to be stored."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cfbench.inference.predict import reject_infinities
from cfbench.model.ratings import Floats

MOST_GROUPS = 20
"""The most groups of users: enough to see how much a mean varies between users."""

_ROWS = 256  # added up in single precision before they are added in double precision


class ScoreMeans:
    """Mean score of every item over groups of users, gathered from blocks of scores.

    With ``g = min(20, n_users)`` groups, the j-th user belongs to group ``j mod g``::

        mean(group, i) = sum of s(u, i) over the users u of the group with s(u, i) not NaN / their number

    Scores come group by group, in the order of :attr:`turns`, so that a block of users has few groups and is added
    up while it is in the processor's cache. The means depend on the sizes of the blocks only by rounding.

    Attributes:
        turns: indices of the users in the order in which their scores must be added, shape (n_users,).
    """

    def __init__(self, n_users: int, n_items: int) -> None:
        """Expect the scores of ``n_users`` users, shape (n_users, n_items) in all."""
        groups = min(MOST_GROUPS, n_users)
        group_of = np.arange(n_users) % max(1, groups)
        self.turns = np.argsort(group_of, kind="stable")
        self._sizes = np.bincount(group_of, minlength=groups)
        self._ends = np.cumsum(self._sizes)
        self._sums = np.zeros((groups, n_items))
        self._holes = np.zeros((groups, n_items), dtype=np.int64)
        self._next = 0

    def add(self, scores: Floats, who: str) -> None:
        """Add the scores of the next users, shape (b, n_items), in the order of :attr:`turns`.

        Raises ModelError, naming ``who``, where one is infinite. A sum shows whether there is NaN or an infinity
        among its terms, so that scores are commonly read once.
        """
        start = 0
        while start < len(scores):
            # A part has one group and a bounded number of rows.
            group = int(np.searchsorted(self._ends, self._next, side="right"))
            rows = min(int(self._ends[group]) - self._next, len(scores) - start, _ROWS)
            part = scores[start : start + rows]
            start += rows
            self._next += rows
            if part.dtype == np.float64:  # of which a finite sum may hide what float32 cannot hold
                reject_infinities(part, who)
            with np.errstate(over="ignore", invalid="ignore"):
                sums = np.ones(len(part), dtype=part.dtype) @ part  # twice as fast as part.sum(axis=0)
                finite = math.isfinite(sums.sum())
            if not finite:
                reject_infinities(part, who)
                missing = np.isnan(part)
                self._holes[group] += missing.sum(axis=0)
                sums = np.where(missing, 0, part).sum(axis=0, dtype=np.float64)
            self._sums[group] += sums

    def values(self) -> NDArray[np.float32]:
        """Return the means, shape (g, n_items); NaN where no user of a group has a score."""
        counts = self._sizes[:, None] - self._holes
        means: NDArray[np.float64] = np.divide(self._sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
        return means.astype(np.float32)

"""Metrics as sums over users, so that users can be resampled: the form that gives a metric its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # scipy.sparse takes long to import, and what needs it has imported it
    from scipy.sparse import csr_array

    Sums: TypeAlias = NDArray[np.float64] | csr_array[Any, Any]


@dataclass(frozen=True, eq=False)
class PerUser:
    """A metric that is a ratio of sums over users.

    value = ``root(sum(numerators) / sum(denominators))`` with ``root`` the square root if ``rooted``.

    Attributes:
        numerators: one per user of ``Evaluation.test_user_positions``, shape (t,), float64.
        denominators: likewise; 0 leaves a user out.
        rooted: take the square root (RMSE).
    """

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]
    rooted: bool = False

    def __len__(self) -> int:
        return len(self.numerators)

    @property
    def n(self) -> int:
        """How many users count."""
        return int(np.count_nonzero(self.denominators))

    n_users = n  # who contributes to the sums are those who count

    @property
    def value(self) -> float:
        """The metric itself; NaN where every denominator is zero."""
        return float(ratios(self.total[np.newaxis], self.rooted)[0])

    @property
    def total(self) -> NDArray[np.float64]:
        """Both sums over all users, shape (2,)."""
        return np.array([self.numerators.sum(), self.denominators.sum()])

    @property
    def per_user(self) -> NDArray[np.float64]:
        """The metric of each user alone, shape (t,); NaN for users who do not count."""
        return ratios(np.stack([self.numerators, self.denominators], axis=1), self.rooted)

    def expanded(self, places: NDArray[np.intp], size: int) -> PerUser:
        """Return the same among ``size`` users, with these at ``places``, ascending; the others do not count."""
        if size == len(self):
            return self
        numerators, denominators = np.zeros(size), np.zeros(size)
        numerators[places], denominators[places] = self.numerators, self.denominators
        return PerUser(numerators, denominators, self.rooted)


@dataclass(frozen=True, eq=False)
class Pooled:
    """A metric of the whole system that is a function of sums over users, but no ratio of two: Gini, coverage.

    value = ``finish(sum over users of the rows of sums)``. Equal ``sums`` objects of several metrics are resampled
    once.

    Attributes:
        sums: what is summed over users, shape (t, d), dense or sparse by rows.
        finish: turns sums, shape (c, d), into values, shape (c,); must not depend on c, nor change its input.
        n: how many units (users, items) the value rests on.
        bounds: the least and the greatest value there can be, which intervals respect.
    """

    sums: Sums
    finish: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    n: int
    bounds: tuple[float, float] = (-math.inf, math.inf)

    def __len__(self) -> int:
        return int(self.sums.shape[0])

    @property
    def n_users(self) -> int:
        """How many users contribute to the sums."""
        if isinstance(self.sums, np.ndarray):
            return int(np.count_nonzero(self.sums.any(axis=1)))
        return int(np.count_nonzero(np.diff(self.sums.indptr)))

    def expanded(self, places: NDArray[np.intp], size: int) -> Pooled:
        """Return the same among ``size`` users, with these at ``places``, ascending; the others add nothing."""
        if size == len(self):
            return self
        if isinstance(self.sums, np.ndarray):
            sums = np.zeros((size, self.sums.shape[1]))
            sums[places] = self.sums
            return replace(self, sums=sums)
        lengths = np.zeros(size + 1, dtype=self.sums.indptr.dtype)
        lengths[places + 1] = np.diff(self.sums.indptr)
        parts = (self.sums.data, self.sums.indices, np.cumsum(lengths, dtype=lengths.dtype))
        return replace(self, sums=type(self.sums)(parts, shape=(size, self.sums.shape[1])))

    @property
    def value(self) -> float:
        """The metric itself."""
        total = np.asarray(self.sums.sum(axis=0), dtype=np.float64).reshape(1, -1)
        return float(self.finish(total)[0])


def ratios(sums: NDArray[np.float64], rooted: bool) -> NDArray[np.float64]:
    """Return numerator over denominator of each row, shape (c, 2) -> (c,), its root if ``rooted``; NaN over zero."""
    numerators, denominators = sums.T
    quotients: NDArray[np.float64] = numerators / np.where(denominators == 0, np.nan, denominators)
    return np.sqrt(quotients) if rooted else quotients

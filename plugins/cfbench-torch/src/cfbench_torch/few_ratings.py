"""What a few ratings say of a user or item of whom something was expected beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench_torch.link import Link

_STEPS = 4  # Gauss-Newton steps; predictions move by less than .001 from the third on
_SHORTER = 0.5  # of a step that made things worse
_CHUNK = 1 << 20  # numbers of ratings' directions and of equations held at a time (8 MB)


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """Ratings as one side sees them: what users said of items, or what items were given by users.

    The rating of entity e, with numbers ``y_e``, by or for the other o is ``link(level_o + direction_o · y_e)``.

    Attributes:
        codes: whose rating it is, shape (r,).
        others: the other's code, shape (r,).
        ratings: shape (r,), in rating units.
        directions: of the others, shape (o, d).
        levels: of the others, shape (o,).
        link: from scores to ratings.
        noise: variance of ratings about their predictions, in squared rating units, above 0.
    """

    codes: NDArray[np.int32]
    others: NDArray[np.int32]
    ratings: NDArray[np.float32]
    directions: NDArray[np.float64]
    levels: NDArray[np.float64]
    link: Link
    noise: float

    def reconsidered(
        self, expected: NDArray[np.float64], variances: NDArray[np.float64], at_most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the entities with 1 to ``at_most`` ratings, (m,), and their most probable numbers, (m, d).

        These minimise ``sum over ratings of (r - prediction)² / noise + sum_j (y_j - expected_j)² / variance_j``: ridge
        regression towards what was expected, by Gauss-Newton as links are curved.

        Args:
            expected: of all n entities, shape (n, d).
            variances: of the numbers about what is expected, shape (d,), above 0.
            at_most: entities with more ratings are left out.
        """
        counts = np.bincount(self.codes, minlength=len(expected))
        few = np.flatnonzero((counts > 0) & (counts <= at_most))
        few = few[np.argsort(counts[few], kind="stable")]  # chunks of about equal length have little padding
        spread = torch.from_numpy(variances)
        numbers = np.empty((len(few), expected.shape[1]))
        for place, ratings in self._grouped(few, counts):
            numbers[place] = _most_probable(ratings, torch.from_numpy(expected[few[place]]), spread).numpy()
        return few, numbers

    def _grouped(self, few: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[tuple[slice, _Grouped]]:
        """Yield the ratings of ``few``, ascending in their counts, in chunks padded to the longest of each."""
        order, starts = np.argsort(self.codes, kind="stable"), np.cumsum(counts) - counts
        longest = int(counts[few].max(initial=1))
        size = max(1, _CHUNK // (longest * (longest + self.directions.shape[1])))
        for first in range(0, len(few), size):
            place = slice(first, min(first + size, len(few)))
            turn = np.arange(counts[few[place]].max())
            there = turn < counts[few[place], None]  # (c, l)
            rows = order[np.where(there, starts[few[place], None] + turn, 0)]
            others = self.others[rows]
            yield (
                place,
                _Grouped(
                    torch.from_numpy(self.directions[others]),
                    torch.from_numpy(self.levels[others]),
                    torch.from_numpy(self.ratings[rows].astype(np.float64)),
                    torch.from_numpy(there.astype(np.float64)),
                    self.link,
                    self.noise,
                ),
            )


@dataclass(frozen=True, eq=False)
class _Grouped:
    """The ratings of c entities, at most l of each: ``directions`` (c, l, d), all else (c, l); ``there`` is 1 or 0."""

    directions: torch.Tensor
    levels: torch.Tensor
    ratings: torch.Tensor
    there: torch.Tensor
    link: Link
    noise: float

    def predicted(self, numbers: torch.Tensor) -> torch.Tensor:
        """Predict ratings, shape (c, l), from numbers (c, d)."""
        return self.link.rating(self.levels + (self.directions @ numbers[:, :, None]).squeeze(2))


def _most_probable(grouped: _Grouped, expected: torch.Tensor, variances: torch.Tensor) -> torch.Tensor:
    """Minimise the loss from ``expected`` (c, d) on; a step that would raise a loss is tried again shorter."""
    numbers, length = expected, torch.ones(len(expected), dtype=torch.float64)
    loss = _loss(grouped, numbers, expected, variances)
    for _ in range(_STEPS):
        tried = torch.lerp(numbers, _solved(grouped, numbers, expected, variances), length[:, None])
        loss_there = _loss(grouped, tried, expected, variances)
        better = loss_there <= loss
        numbers, loss = torch.where(better[:, None], tried, numbers), torch.where(better, loss_there, loss)
        length = torch.where(better, 1.0, length * _SHORTER)
    return numbers


def _solved(grouped: _Grouped, numbers: torch.Tensor, expected: torch.Tensor, variances: torch.Tensor) -> torch.Tensor:
    """Solve the problem with predictions straightened at ``numbers``; return the solutions, shape (c, d).

    With J the derivatives of predictions and V the variances it is ``expected + V J' (J V J' + noise)^-1 z``, z what
    the straight predictions miss at ``expected``: as many equations as there are ratings, which are few.
    """
    predicted = grouped.predicted(numbers)
    slope = grouped.there * grouped.link.slope(predicted)
    jacobian = grouped.directions * slope[:, :, None]  # (c, l, d)
    missed = (grouped.there * (grouped.ratings - predicted))[:, :, None]
    missed = missed + jacobian @ (numbers - expected)[:, :, None]  # (c, l, 1)
    spread = jacobian * variances  # (c, l, d)
    covariance = spread @ jacobian.transpose(1, 2)  # (c, l, l)
    covariance.diagonal(dim1=1, dim2=2).add_(grouped.noise)
    solved = torch.cholesky_solve(missed, torch.linalg.cholesky(covariance))
    return expected + (spread.transpose(1, 2) @ solved).squeeze(2)


def _loss(grouped: _Grouped, numbers: torch.Tensor, expected: torch.Tensor, variances: torch.Tensor) -> torch.Tensor:
    """Return the loss of each entity, shape (c,)."""
    errors = grouped.there * (grouped.predicted(numbers) - grouped.ratings).square()
    return errors.sum(1) / grouped.noise + ((numbers - expected).square() / variances).sum(1)

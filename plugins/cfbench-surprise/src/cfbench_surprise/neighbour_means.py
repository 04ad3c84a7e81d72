"""Weighted means over nearest neighbours, many pairs at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Codes

_CELLS = 1 << 20  # similarities looked at together


@dataclass(frozen=True, eq=False)
class NeighbourMeans:
    """For x and y, the mean of what x's nearest neighbours have at y, weighted by similarity.

    x and y are user and item, or item and user for item-based models::

        a(x, y) = sum over N of sim(x, v) value(v, y) / sum over N of sim(x, v)

    with N the ``k`` most similar to x among those that have a rating at y, as far as their similarity is above 0.
    Among equals the earlier training row wins, as in the library.

    Attributes:
        similarity: shape (n_x, n_x), by the library's inner ids.
        inner: inner id of every code of x, shape (n_x,).
        starts: where each y begins in the next two, shape (n_y + 1,).
        neighbours: inner ids of the x rated at y, y by y in training order, shape (n,).
        values: what they have there, shape (n,).
        k: the most neighbours taken.
        min_k: the fewest that make a mean.
        empty: the mean where there are fewer: 0, or NaN for "cannot say".
    """

    similarity: NDArray[np.float64]
    inner: NDArray[np.intp]
    starts: NDArray[np.int64]
    neighbours: NDArray[np.intp]
    values: NDArray[np.float64]
    k: int
    min_k: int
    empty: float

    def of_pairs(self, xs: Codes, ys: Codes) -> NDArray[np.float64]:
        """Return ``a(x, y)`` for pairs of codes, shape (m,); ``empty`` where either is unknown."""
        means = np.full(len(xs), self.empty)
        known = np.flatnonzero((xs < len(self.inner)) & (ys < len(self.starts) - 1))
        known = known[np.argsort(ys[known], kind="stable")]
        if not len(known):
            return means
        borders = np.flatnonzero(np.diff(ys[known])) + 1
        for group in np.split(known, borders):
            means[group] = self._at(xs[group], int(ys[group[0]]))
        return means

    def of_table(self, xs: Codes, ys: Codes) -> NDArray[np.float64]:
        """Return ``a(x, y)`` for every x with every y, shape (len(xs), len(ys))."""
        means = np.full((len(xs), len(ys)), self.empty)
        known = np.flatnonzero(xs < len(self.inner))
        for column, y in enumerate(ys.tolist()):
            if y < len(self.starts) - 1:
                means[known, column] = self._at(xs[known], y)
        return means

    def _at(self, xs: Codes, y: int) -> NDArray[np.float64]:
        rated = slice(self.starts[y], self.starts[y + 1])
        neighbours, values = self.neighbours[rated], self.values[rated]
        chunk = max(1, _CELLS // len(neighbours))
        means = np.empty(len(xs))
        for start in range(0, len(xs), chunk):
            rows = self.inner[xs[start : start + chunk]]
            means[start : start + chunk] = self._weighted(self.similarity[rows[:, None], neighbours], values)
        return means

    def _weighted(self, similar: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        chosen = _nearest(similar, self.k)
        weights = np.where(chosen, similar, 0.0)
        enough = np.count_nonzero(chosen, axis=1) >= max(self.min_k, 1)
        means: NDArray[np.float64] = np.divide(
            weights @ values, weights.sum(axis=1), out=np.full(len(similar), self.empty), where=enough
        )
        return means


def _nearest(similar: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    """Mark the ``k`` largest of each row, the first among equals, as far as they are above 0."""
    positive = similar > 0
    width = similar.shape[1]
    if width <= k:
        return positive
    last = np.partition(similar, width - k, axis=1)[:, width - k, None]
    above, equal = similar > last, similar == last
    room = k - np.count_nonzero(above, axis=1)[:, None]
    chosen: NDArray[np.bool_] = (above | (equal & (np.cumsum(equal, axis=1) <= room))) & positive
    return chosen

"""Nearest neighbours: weighted means of their ratings, and the shape that four models of the library share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Codes, Floats, Matrix, Ratings, Vector, require_at_least, require_whole
from cfbench_surprise.adapter import Adapter
from cfbench_surprise.factors import Biases
from cfbench_surprise.trainset import CodedTrainset, coded_trainset

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
        silent: whether the mean is NaN where there are fewer; otherwise it is 0.
    """

    similarity: Matrix[np.float64]
    inner: Vector[np.intp]
    starts: Vector[np.int64]
    neighbours: Vector[np.intp]
    values: Vector[np.float64]
    k: int
    min_k: int
    silent: bool

    @property
    def empty(self) -> float:
        """The mean where there are too few neighbours."""
        return np.nan if self.silent else 0.0

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
        """Return ``a(x, y)`` of many x with one y, all of them known."""
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


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """``r(u, i) = base(u, i) + spread_x * a(x, y)``, with a from residuals ``(r - base) / spread``.

    Attributes:
        base: the prediction without neighbours, NaN where there is none for unknown codes.
        spread: rating points per unit of ``a``, shape (n_x + 1,).
        means: ``a``.
        user_based: whether x is the user and y the item, or the other way round.
    """

    base: Biases
    spread: Vector[np.float64]
    means: NeighbourMeans
    user_based: bool

    def of_pairs(self, users: Codes, items: Codes) -> Floats:
        """Answer pairs of codes, shape (m,)."""
        xs, ys = (users, items) if self.user_based else (items, users)
        return self.base.of_pairs(users, items) + self.spread[xs] * self.means.of_pairs(xs, ys)

    def of_rows(self, users: Codes) -> Floats:
        """Answer every item for each of ``users``, shape (b, n_items)."""
        items = np.arange(len(self.base.items) - 1, dtype=np.int32)
        if self.user_based:
            table = self.spread[users, None] * self.means.of_table(users, items)
        else:
            table = (self.spread[items, None] * self.means.of_table(items, users)).T
        return self.base.of_rows(users) + table


@dataclass
class NeighbourhoodModel(Adapter, learned_=Neighbourhood):
    """Base of the neighbourhood models: their parameters, those of the library's ``sim_options`` flat, and fitting.

    Attributes:
        k: most neighbours that count.
        min_k: fewest neighbours that count; with fewer there is no mean.
        similarity: how two users (items) are compared, over the ratings that they have in common.
        user_based: whether users are compared; else items.
        min_support: with fewer common ratings the similarity is 0.
        shrinkage: serves ``pearson_baseline`` alone.
    """

    k: int = 40
    min_k: int = 1
    similarity: Literal["cosine", "msd", "pearson", "pearson_baseline"] = "msd"
    user_based: bool = True
    min_support: int = 1
    shrinkage: float = 100.0

    def __post_init__(self) -> None:
        require_at_least(self, 0, "shrinkage")
        require_whole(self, 1, "k", "min_k", "min_support")

    def fitted(self, library_class: Any, train: Ratings, **options: Any) -> tuple[Any, CodedTrainset]:
        """Fit the library's ``library_class``; return it and what it was fitted on."""
        coded = coded_trainset(train)
        similarity = {
            "name": self.similarity,
            "user_based": self.user_based,
            "min_support": self.min_support,
            "shrinkage": self.shrinkage,
        }
        algo = library_class(k=self.k, min_k=self.min_k, sim_options=similarity, verbose=False, **options)
        return algo.fit(coded.trainset), coded

    def one_sided_base(self, coded: CodedTrainset, of_x: NDArray[np.float64] | float) -> Biases:
        """Return the base ``of_x``, by inner id of x, shape (n_x,), NaN for the unknown."""
        users, items = np.zeros(coded.trainset.n_users), np.zeros(coded.trainset.n_items)
        side = users if self.user_based else items
        side[:] = of_x
        return Biases(0.0, coded.by_user(users, np.nan), coded.by_item(items, np.nan))

    def neighbourhood(
        self,
        algo: Any,
        coded: CodedTrainset,
        train: Ratings,
        base: Biases,
        *,
        spread: NDArray[np.float64] | None = None,
        silent: bool = False,
    ) -> Neighbourhood:
        """Put together similarities and residual ratings about ``base``.

        ``spread`` is by inner id of x, shape (n_x,), 1 where None. With ``silent`` there is no answer (NaN) where too
        few neighbours are found; otherwise it is the base.
        """
        users, items = train.users, train.items
        xs, ys, n_y = (users, items, train.n_items) if self.user_based else (items, users, train.n_users)
        inner, by_x = (coded.inner_users, coded.by_user) if self.user_based else (coded.inner_items, coded.by_item)
        spreads = by_x(np.ones(len(inner)) if spread is None else spread, 1.0)
        residuals = (train.ratings - base.of_pairs(users, items)) / spreads[xs]
        order = np.argsort(ys, kind="stable")
        means = NeighbourMeans(
            similarity=algo.sim,
            inner=inner,
            starts=np.concatenate([[0], np.cumsum(np.bincount(ys, minlength=n_y))]),
            neighbours=inner[xs[order]],
            values=residuals[order],
            k=self.k,
            min_k=self.min_k,
            silent=silent,
        )
        return Neighbourhood(base, spreads, means, self.user_based)

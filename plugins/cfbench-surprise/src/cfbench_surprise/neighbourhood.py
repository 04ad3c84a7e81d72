"""The common shape of the library's neighbourhood models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench_surprise.biases import Biases
from cfbench_surprise.neighbour_means import NeighbourMeans
from cfbench_surprise.trainset import CodedTrainset

_LEARNED = ("similarity", "inner", "starts", "neighbours", "values")  # arrays of NeighbourMeans


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """``r(u, i) = base(u, i) + spread_x * a(x, y)``, with a from residuals ``(r - base) / spread``.

    Attributes:
        base: what is said without neighbours, NaN for unknown codes where that is nothing.
        spread: rating points per unit of ``a``, shape (n_x + 1,).
        means: ``a``.
        user_based: whether x is the user and y the item, or the other way round.
    """

    base: Biases
    spread: NDArray[np.float64]
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

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by name, for saving."""
        return {
            **self.base.arrays(),
            "spread": self.spread,
            "empty": np.array(self.means.empty),
            **{name: getattr(self.means, name) for name in _LEARNED},
        }

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]], model: Any) -> Neighbourhood:
        """Put together what :meth:`arrays` took apart; ``model`` gives ``k``, ``min_k`` and ``user_based``."""
        means = NeighbourMeans(
            **{name: arrays[name] for name in _LEARNED}, k=model.k, min_k=model.min_k, empty=float(arrays["empty"])
        )
        return cls(Biases.among(arrays), arrays["spread"], means, model.user_based)


def neighbourhood(
    model: Any,
    algo: Any,
    coded: CodedTrainset,
    train: Ratings,
    base: Biases,
    *,
    spread: NDArray[np.float64] | None = None,
    empty: float = 0.0,
) -> Neighbourhood:
    """Put together what a fitted algorithm of the library learned.

    ``model`` gives ``k``, ``min_k`` and ``user_based``, ``algo`` the similarities. ``spread`` is by inner id of x,
    shape (n_x,), 1 where None. ``empty`` is the residual where too few neighbours are found, NaN for "cannot say".
    """
    xs, ys, n_y = (
        (train.users, train.items, train.n_items) if model.user_based else (train.items, train.users, train.n_users)
    )
    inner, by_x = (coded.inner_users, coded.by_user) if model.user_based else (coded.inner_items, coded.by_item)
    spreads = by_x(np.ones(len(inner)) if spread is None else spread, 1.0)
    residuals = (train.ratings - base.of_pairs(train.users, train.items)) / spreads[xs]
    order = np.argsort(ys, kind="stable")
    means = NeighbourMeans(
        similarity=algo.sim,
        inner=inner,
        starts=np.concatenate([[0], np.cumsum(np.bincount(ys, minlength=n_y))]),
        neighbours=inner[xs[order]],
        values=residuals[order],
        k=model.k,
        min_k=model.min_k,
        empty=empty,
    )
    return Neighbourhood(base=base, spread=spreads, means=means, user_based=model.user_based)


def one_sided_base(coded: CodedTrainset, of_x: NDArray[np.float64] | float, *, user_based: bool) -> Biases:
    """Return the base ``of_x``, by inner id of x, shape (n_x,), that says nothing (NaN) about strangers."""
    users, items = np.zeros(coded.trainset.n_users), np.zeros(coded.trainset.n_items)
    side = users if user_based else items
    side[:] = of_x
    return Biases(0.0, coded.by_user(users, np.nan), coded.by_item(items, np.nan))

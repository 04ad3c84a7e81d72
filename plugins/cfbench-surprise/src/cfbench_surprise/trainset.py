"""Training ratings in the form that Surprise learns from, and its learned arrays back in code order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from surprise import Dataset, Reader, Trainset

from cfbench.model import Ratings


@dataclass(frozen=True, eq=False)
class CodedTrainset:
    """A Surprise ``Trainset`` together with the way from codes to its inner ids.

    Surprise numbers users and items itself, by first appearance. Codes happen to be given likewise; rather
    than rely on that, learned arrays are brought into code order here.

    Attributes:
        trainset: what the library's algorithms are fitted on.
        inner_users: inner id of every user code, shape (n_users,).
        inner_items: inner id of every item code, shape (n_items,).
    """

    trainset: Trainset
    inner_users: NDArray[np.intp]
    inner_items: NDArray[np.intp]

    @property
    def mean(self) -> float:
        """Mean of the training ratings, as the library computes it."""
        return float(self.trainset.global_mean)

    def by_user(self, learned: Any, unknown: float = 0.0) -> NDArray[np.float64]:
        """Bring an array over inner user ids, shape (n_users, ...), into code order.

        Returns shape (n_users + 1, ...): the last row, of the unknown user, is filled with ``unknown``.
        """
        return _coded(learned, self.inner_users, unknown)

    def by_item(self, learned: Any, unknown: float = 0.0) -> NDArray[np.float64]:
        """Bring an array over inner item ids into code order, as :meth:`by_user` does for users."""
        return _coded(learned, self.inner_items, unknown)


def coded_trainset(train: Ratings, ratings: NDArray[Any] | None = None) -> CodedTrainset:
    """Build the library's training set from ``train``, or from its pairs with other ``ratings``, shape (n,).

    Rows keep their order, which the library's gradient descent and its ties among neighbours follow.
    """
    values = train.ratings if ratings is None else ratings
    rows = zip(train.users.tolist(), train.items.tolist(), values.tolist(), repeat(None), strict=False)
    reader = Reader(rating_scale=(train.scale.low, train.scale.high))
    trainset = Dataset(reader).construct_trainset(list(rows))
    return CodedTrainset(
        trainset=trainset,
        inner_users=np.array([trainset.to_inner_uid(code) for code in range(train.n_users)], dtype=np.intp),
        inner_items=np.array([trainset.to_inner_iid(code) for code in range(train.n_items)], dtype=np.intp),
    )


def _coded(learned: Any, inner: NDArray[np.intp], unknown: float) -> NDArray[np.float64]:
    known = np.asarray(learned, dtype=np.float64)
    coded = np.full((len(known) + 1, *known.shape[1:]), unknown)
    coded[:-1] = known[inner]
    return coded

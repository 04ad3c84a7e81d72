"""Raw output of one model on one split: the input of every metric, never changed by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import frozen

MOST_GROUPS = 20
"""The most groups of users in ``score_means``: enough to see how much a mean varies between users."""

_MOST_FACTORS = 1 << 28  # numbers in all, a GiB of them


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """Raw output of one model on one split, in the split's order.

    What comes from a cell has the predictions of all asked pairs in the order in which they were asked, and no
    ``train_rows``: the run's process alone can tell test rows from others, see
    :class:`cfbench.inference.pair_order.PairOrder`.

    Attributes:
        predictions: predicted ratings of the test rows, shape (m,), float32, neither filled nor clipped, NaN = no
            prediction; None for a pure ranker.
        lists: item codes of the top-k list of every test user, best first, shape (t, k), int32; a list that is
            shorter than k ends in the unknown code ``n_items``. Rows follow
            ``Evaluation.test_user_positions``. None for a model that could not rank.
        score_means: mean score of every training item over g groups of test users, before seen items are masked,
            shape (g, n_items), float32; NaN where no user of a group got a score; see
            :class:`cfbench.inference.rank.ScoreMeans`. None without lists.
        item_factors: the model's own embeddings of every training item, shape (n_items, f), float32,
            finite; None for a model without.
        train_rows: positions of some rows in the training part, ascending, shape (s,), int64; see
            :class:`cfbench.inference.pair_order.PairOrder`. None for a pure ranker.
        train_predictions: predicted ratings of these rows, raw as ``predictions``, shape (s,), float32.
        rating_range: the lowest and the highest rating that the model states it can predict, shape (2,), float64;
            None for a model that states none.
        asked_again: how far the answers to the same questions differ when they are asked again, of ratings above
            scores, each a share that differs and the largest difference, in rating units and in standard deviations
            of a user's scores, shape (2, 2), float64; NaN where nothing was asked. See
            :mod:`cfbench.inference.asked_again`.
    """

    predictions: NDArray[np.float32] | None
    lists: NDArray[np.int32] | None
    score_means: NDArray[np.float32] | None = None
    item_factors: NDArray[np.float32] | None = None
    train_rows: NDArray[np.int64] | None = None
    train_predictions: NDArray[np.float32] | None = None
    rating_range: NDArray[np.float64] | None = None
    asked_again: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            object.__setattr__(self, name, frozen(array))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> ModelOutput:
        """Make the output of what :meth:`arrays` returned; raises ValueError for unknown names and other forms."""
        for name, array in arrays.items():
            dtype, dimensions = _form(name)
            if (array.dtype, array.ndim) != (dtype, len(dimensions)):
                raise ValueError(
                    f"{name} must be {dtype} of {len(dimensions)} dimensions, got {array.dtype} {array.shape}"
                )
        return cls(**{name: arrays.get(name) for name in FORMS})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that there are, by name."""
        return {name: array for name in FORMS if (array := getattr(self, name)) is not None}


FORMS: Mapping[str, tuple[np.dtype[Any], tuple[str | int, ...]]] = {
    "predictions": (np.dtype(np.float32), ("pairs",)),
    "lists": (np.dtype(np.int32), ("lists", "length")),
    "score_means": (np.dtype(np.float32), ("groups", "items")),
    "item_factors": (np.dtype(np.float32), ("items", "factors")),
    "train_rows": (np.dtype(np.int64), ("checked",)),
    "train_predictions": (np.dtype(np.float32), ("checked",)),
    "rating_range": (np.dtype(np.float64), (2,)),
    "asked_again": (np.dtype(np.float64), (2, 2)),
}
"""Type and dimensions of every array, by name; dimensions are numbers, or names of :class:`OutputSizes`, or free."""

_FREE = ("groups", "factors")


@dataclass(frozen=True)
class OutputSizes:
    """Sizes that a model's output must have.

    Attributes:
        pairs: how many pairs are to be predicted.
        lists: how many users get a list.
        length: of every list.
        items: size of the catalogue.
        checked: how many training rows are to be predicted.
    """

    pairs: int
    lists: int
    length: int
    items: int
    checked: int

    @property
    def most_bytes(self) -> int:
        """Bytes of the largest output."""
        return sum(dtype.itemsize * math.prod(self._most(name)) for name, (dtype, _) in FORMS.items())

    def require(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the array ``name`` of a model's output may have this type and shape.

        The numbers of groups and of factors are the model's own: 20 groups at most, and a GiB of factors.
        """
        expected, dimensions = _form(name)
        if dtype != expected:
            raise ValueError(f"{name} must be {expected}, got {dtype}")
        least = tuple(1 if size in _FREE else most for size, most in zip(dimensions, self._most(name), strict=True))
        fits = (low <= found <= most for low, found, most in zip(least, shape, self._most(name), strict=False))
        if len(shape) != len(least) or not all(fits):
            raise ValueError(f"{name} have shape {shape}, expected {' x '.join(map(str, dimensions))} = {least}")

    def _most(self, name: str) -> tuple[int, ...]:
        known = {"groups": min(MOST_GROUPS, self.lists), "factors": max(1, _MOST_FACTORS // self.items), **vars(self)}
        return tuple(size if isinstance(size, int) else known[size] for size in FORMS[name][1])


def _form(name: str) -> tuple[np.dtype[Any], tuple[str | int, ...]]:
    if name not in FORMS:
        raise ValueError(f"a model's output has no array called {name!r:.50}; known: {', '.join(FORMS)}")
    return FORMS[name]

"""Raw output of one model on one split: the input of every metric, never changed by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import frozen


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """Raw output of one model on one split, in the split's order.

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
            :attr:`cfbench.inference.inputs.EvaluationInputs.checked_rows`. None for a pure ranker.
        train_predictions: predicted ratings of these rows, raw as ``predictions``, shape (s,), float32.
        rating_range: the lowest and the highest rating that the model states it can predict, shape (2,), float64;
            None for a model that states none.
    """

    predictions: NDArray[np.float32] | None
    lists: NDArray[np.int32] | None
    score_means: NDArray[np.float32] | None = None
    item_factors: NDArray[np.float32] | None = None
    train_rows: NDArray[np.int64] | None = None
    train_predictions: NDArray[np.float32] | None = None
    rating_range: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            object.__setattr__(self, name, frozen(array))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> ModelOutput:
        """Make the output of what :meth:`arrays` returned; raises ValueError for unknown names and other forms."""
        for name, array in arrays.items():
            if name not in _FORMS:
                raise ValueError(f"a model's output has no array called {name!r}; known: {', '.join(_FORMS)}")
            dtype, dimensions = _FORMS[name]
            if (array.dtype, array.ndim) != (dtype, dimensions):
                raise ValueError(f"{name} must be {dtype} of {dimensions} dimensions, got {array.dtype} {array.shape}")
        return cls(**{name: arrays.get(name) for name in _FORMS})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that there are, by name."""
        return {name: array for name in _FORMS if (array := getattr(self, name)) is not None}


_FORMS: Mapping[str, tuple[np.dtype[Any], int]] = {
    "predictions": (np.dtype(np.float32), 1),
    "lists": (np.dtype(np.int32), 2),
    "score_means": (np.dtype(np.float32), 2),
    "item_factors": (np.dtype(np.float32), 2),
    "train_rows": (np.dtype(np.int64), 1),
    "train_predictions": (np.dtype(np.float32), 1),
    "rating_range": (np.dtype(np.float64), 1),
}
"""Type and number of dimensions of every array, by name."""

"""What a model answered in one cell, raw: the input of every metric, never changed by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.ratings import frozen


@dataclass(frozen=True, eq=False)
class Answers:
    """Raw answers of one model on one split, in the split's order.

    Attributes:
        predictions: predicted ratings of the test rows, shape (m,), float32, neither filled nor clipped, NaN =
            "cannot say"; None for a pure ranker.
        lists: item codes of the top-k list of every test user, best first, shape (t, k), int32; a list that is
            shorter than k ends in the unknown code ``n_items``. Rows follow ``Evaluation.people``.
            None for a model that could not rank.
    """

    predictions: NDArray[np.float32] | None
    lists: NDArray[np.int32] | None

    def __post_init__(self) -> None:
        for name in ("predictions", "lists"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, frozen(array))

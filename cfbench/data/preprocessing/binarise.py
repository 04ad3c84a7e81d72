"""Ratings turned into relevant and not relevant."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.preprocessing.subset import subset
from cfbench.errors import DataError
from cfbench.model.limits import require_choice
from cfbench.model.ratings import RatingScale


@dataclass(frozen=True)
class Binarise:
    """Ratings of 1 where they are relevant and 0 where not, on a scale of 0 to 1 with relevance from 1 on.

    Attributes:
        threshold: the rating from which one counts as relevant, in rating units; None takes the data set's own
            ``relevant_from``.
        keep: ``"all"`` keeps the ratings that are not relevant as 0; ``"relevant"`` drops them, which leaves nothing
            but ones, as in data without ratings.
    """

    threshold: float | None = None
    keep: Literal["all", "relevant"] = "all"

    def __post_init__(self) -> None:
        number = isinstance(self.threshold, int | float) and not isinstance(self.threshold, bool)
        if self.threshold is not None and not (number and math.isfinite(self.threshold)):
            raise ValueError(f"threshold={self.threshold!r}: expected a finite rating")
        require_choice(self, ("all", "relevant"), "keep")

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the data set of ones and zeros; raises DataError where no rating is relevant."""
        threshold = dataset.relevant_from if self.threshold is None else self.threshold
        relevant = dataset.ratings >= threshold
        if not relevant.any():
            raise DataError(
                f"binarise: no rating of {dataset.name!r} reaches {threshold:g}; its scale is {dataset.scale}: "
                "use a lower threshold"
            )
        binary = replace(dataset, ratings=relevant.astype(np.float32), scale=RatingScale(0.0, 1.0), relevant_from=1.0)
        return subset(binary, relevant) if self.keep == "relevant" else binary

"""The folds of Surprise's own cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfbench.data.splits import DataError, Dataset, Fold


@dataclass(frozen=True)
class SurpriseKFold:
    """The rows of ``surprise.model_selection.KFold``, in its order, for re-running published tables.

    All rows are shuffled with the legacy generator of numpy on ``random_state`` and cut into ``k`` parts, the
    first ones longer by one where rows are left over; each part is tested once, with the others, still
    shuffled, for training. The seed of the run plays no part.

    Attributes:
        k: number of folds, at least 2.
        random_state: seed of the shuffle, 0 to 2**32 - 1.
    """

    k: int = 5
    random_state: int = 0

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return the folds ``1/k`` to ``k/k``; raises DataError where there are fewer rows than folds."""
        if not 2 <= self.k <= len(dataset):
            raise DataError(
                f"surprise-kfold needs 2 to {len(dataset)} folds for the {len(dataset)} rows of "
                f"{dataset.name!r}, got k={self.k}; choose a k in that range"
            )
        rows = np.arange(len(dataset))
        np.random.RandomState(self.random_state).shuffle(rows)
        parts = np.array_split(rows, self.k)
        return [
            Fold(f"{fold + 1}/{self.k}", np.concatenate(parts[:fold] + parts[fold + 1 :]), part)
            for fold, part in enumerate(parts)
        ]

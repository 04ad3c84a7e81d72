"""Repeated holdout: several random splits, each drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cfbench.data.dataset import Dataset
from cfbench.data.splits.holdout import Holdout
from cfbench.data.splits.splitter import Fold
from cfbench.model.limits import require_part, require_whole
from cfbench.spec import derived_seed


@dataclass(frozen=True)
class RepeatedHoldout:
    """Independent random holdouts of a share of all ratings, ``n_repeats`` times (Monte Carlo cross-validation).

    What is published as "a random 80/20 split" depends on the draw; a mean over several tells how much. Unlike the
    parts of ``kfold``, tests overlap. Source: Picard and Cook 1984, "Cross-validation of regression models".

    Attributes:
        share: share of test rows of each draw, above 0 and below 1.
        n_repeats: number of draws, at least 1.
        random_state: None: draws follow the run's seed. A number fixes them: draw ``j`` is that of ``holdout`` with the
            seed ``random_state + j - 1``, so that figures which were published for splits can be run on them again.
    """

    share: float = 0.2
    n_repeats: int = 3
    random_state: int | None = None

    def __post_init__(self) -> None:
        require_part(self, "share")
        require_whole(self, 1, "n_repeats")
        require_whole(self, 0, "random_state")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return ``n_repeats`` folds named ``"1/n"`` to ``"n/n"``; raises DataError where a part would be empty."""
        holdout, folds = Holdout(self.share), []
        for number in range(1, self.n_repeats + 1):
            fixed = self.random_state
            draw = derived_seed(seed, repeat=number) if fixed is None else fixed + number - 1
            folds += [replace(fold, name=f"{number}/{self.n_repeats}") for fold in holdout.folds(dataset, draw)]
        return folds

"""Predefined splits, published together with the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cfbench.data.dataset import Dataset
from cfbench.data.splits.splitter import Fold
from cfbench.errors import DataError, UnknownNameError


@dataclass(frozen=True)
class Predefined:
    """Folds that the data set brings, rows in their published order; the seed plays no part.

    Attributes:
        only: names of folds (``"u1"``, ``("u1", "u2")``), in the order wanted. None takes the largest family
            of folds, names that differ only by the number at the end: u1 to u5 of MovieLens 100K, not
            ua and ub.
    """

    only: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = (self.only,) if isinstance(self.only, str) else (self.only or ())
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"only must be names of folds such as u1 or [u1,u2], got {self.only!r}")
        if len(set(names)) != len(names):
            raise ValueError(f"only names a fold twice: {', '.join(names)}")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:  # noqa: ARG002 - part of the contract
        """Return the folds under their published names; raises DataError or UnknownNameError with those it has."""
        published = dataset.folds
        if not published:
            raise DataError(
                f"{dataset.name!r} comes without published folds; use another splitter, e.g. holdout or kfold"
            )
        names = (self.only,) if isinstance(self.only, str) else (self.only or largest_family(published))
        for name in names:
            if name not in published:
                raise UnknownNameError.among(f"fold of {dataset.name}", name, published)
        return [Fold(name, published[name].train_rows, published[name].test_rows) for name in names]


def largest_family(names: Iterable[str]) -> tuple[str, ...]:
    """Return the largest group of names that differ only by the number at their end, in order; first on a tie."""
    stems = {name: name.rstrip("0123456789") for name in names}
    largest = [stem for stem, _ in Counter(stems.values()).most_common(1)]
    return tuple(name for name, stem in stems.items() if stem in largest)

"""The cut-off ``k`` of metrics of lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import UsageError

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class CutOff:
    """What metrics of the first ``k`` places of every list have in common.

    Raises UsageError unless ``k`` is a whole number of at least 1.
    """

    label: ClassVar[str]
    k: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise UsageError(f"{self.label}: k must be a whole number of at least 1, got {self.k!r}")

    @property
    def name(self) -> str:
        """The standard name with its cut-off."""
        return f"{self.label}@{self.k}"

    def first(self, columns: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return the first ``k`` places of every list, shape (t, k); raises UsageError on shorter lists."""
        if columns.shape[1] < self.k:
            raise UsageError(
                f"{self.name} needs lists of {self.k} items, the stored ones hold {columns.shape[1]}; "
                "rank again with longer lists or lower k"
            )
        return columns[:, : self.k]

"""The cut-off ``k`` of metrics of lists."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import UsageError

Scalar = TypeVar("Scalar", bound=np.generic)


def check_k(metric: str, k: Any) -> None:
    """Raise UsageError unless ``k`` is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UsageError(f"{metric}: k must be a whole number of at least 1, got {k!r}")


def first_k(metric: str, columns: NDArray[Scalar], k: int) -> NDArray[Scalar]:
    """Return the first ``k`` places of every list, shape (t, k); raises UsageError on shorter lists."""
    if columns.shape[1] < k:
        raise UsageError(
            f"{metric} needs lists of {k} items, the stored ones hold {columns.shape[1]}; "
            "rank again with longer lists or lower k"
        )
    return columns[:, :k]

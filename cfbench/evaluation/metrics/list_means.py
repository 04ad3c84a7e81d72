"""Means over the items of each list, then over the users who got one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.sums import PerUser


def mean_of_lists(lists: NDArray[np.int32], worth: NDArray[Any]) -> PerUser:
    """Average ``worth`` of items, shape (n_items,), over each list, shape (t, k), then over users with a list.

    Places after the end of a list hold the code ``n_items`` and count nowhere.
    """
    lengths = list_lengths(lists, len(worth))
    sums = np.append(worth, 0)[lists].sum(axis=1, dtype=np.float64)
    return PerUser(sums / np.maximum(lengths, 1), (lengths > 0).astype(np.float64))


def list_lengths(lists: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """Return how many items each list holds, shape (t, k) -> (t,)."""
    lengths: NDArray[np.int64] = (lists < n_items).sum(axis=1)
    return lengths

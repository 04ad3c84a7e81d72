"""The order of ratings within a user or an item: at random, or by time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.dataset import Dataset
from cfbench.errors import DataError


def times_of(dataset: Dataset, who: str, instead: str) -> NDArray[np.int64]:
    """Return the timestamps, shape (n,), for the splitter ``who``; raises DataError with the advice ``instead``."""
    if dataset.timestamps is None:
        raise DataError(f"{who} needs the time of every rating, and {dataset.name!r} has no timestamps; {instead}")
    return dataset.timestamps


def rank_within(
    groups: NDArray[np.int32], times: NDArray[np.int64] | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return how many rows of its own group come before each row, shape (n,): 0 is a group's first.

    Args:
        groups: the group of each row, shape (n,), e.g. its user's position.
        times: earlier comes first, shape (n,); rows of one time, or all where it is None, come in random order.
        rng: decides that order, never the order of rows in the data.
    """
    chance = rng.permutation(len(groups))
    keys = (chance, groups) if times is None else (chance, times, groups)
    sizes = np.bincount(groups)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[np.lexsort(keys)] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank

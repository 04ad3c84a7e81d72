"""Order of ratings within a user or an item: at random, or by time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset
from cfbench.errors import DataError

_LARGEST = np.iinfo(np.int64).max


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
    sizes = np.bincount(groups)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[_ordered(groups, times, chance)] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank


def _ordered(
    groups: NDArray[np.int32], times: NDArray[np.int64] | None, chance: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the rows by group, then by time where there are times, then by ``chance``, a permutation.

    That is ``np.lexsort``; numbers that hold a group and what orders it are sorted several times faster.
    """
    n = max(1, len(chance))
    by_chance: NDArray[np.int64] = np.empty_like(chance)
    by_chance[chance] = np.arange(len(chance))
    keys = groups.astype(np.int64)
    if times is None:
        keys *= n
        keys += chance
        keys.sort()
        keys %= n
        return np.take(by_chance, keys)
    span = int(times.max(initial=0)) - int(times.min(initial=0)) + 1
    if span * (int(groups.max(initial=0)) + 1) > _LARGEST:
        order: NDArray[np.int64] = np.lexsort((chance, times, groups))
        return order
    keys *= span
    keys += times - times.min(initial=0)
    return np.take(by_chance, np.argsort(keys[by_chance], kind="stable"))

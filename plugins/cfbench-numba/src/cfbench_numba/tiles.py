"""Ratings in an order in which the factors they touch stay in cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Ratings
from cfbench_numba.compiled import compiled

_CACHE_BYTES = 1 << 20
"""Room for the factors of one tile, half for its users and half for its items: what a second-level cache holds."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """Ratings tile by tile; a tile is what a block of neighbouring users has rated of a block of items.

    Passing over all ratings in random order touches factors all over memory. In a tile they are few enough to stay
    in cache, and its ratings are those of one user after the other, each user's in random order, so that the user's
    factors are at hand.

    Attributes:
        starts: tile t has rows ``starts[t]`` to ``starts[t + 1]``, shape (t + 1,), int64.
        users: user codes, shape (n,), int32.
        items: item codes, shape (n,), int32.
        ratings: what remains of the ratings when ``mean`` is taken off, shape (n,), float32.
    """

    starts: NDArray[np.int64]
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]

    @classmethod
    def of(cls, train: Ratings, width: int, rng: np.random.Generator) -> Tiles:
        """Sort ``train`` into tiles whose factors, ``width`` float32 each, fit in cache; O(n) time and memory."""
        block = max(1, _CACHE_BYTES // 2 // (4 * width))
        users, items = np.array(train.users, dtype=np.int32), np.array(train.items, dtype=np.int32)
        ratings = np.array(train.ratings, dtype=np.float32) - np.float32(train.mean)
        starts, users, items, ratings = _sorted_by(users, train.n_users, users, items, ratings)
        _shuffle_runs(starts, users, items, ratings, int(rng.integers(1 << 62)))
        across = -(-train.n_items // block)
        tiles = users // np.int32(block) * np.int32(across) + items // np.int32(block)
        return cls(*_sorted_by(tiles, across * -(-train.n_users // block), users, items, ratings))


@compiled
def _sorted_by(
    keys: NDArray[np.int32],
    n_keys: int,
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    ratings: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Stable counting sort; return where each key begins, and the three columns."""
    starts = np.zeros(n_keys + 1, dtype=np.int64)
    for key in keys:
        starts[key + 1] += 1
    starts = np.cumsum(starts)
    ends = starts.copy()
    users_after, items_after, ratings_after = np.empty_like(users), np.empty_like(items), np.empty_like(ratings)
    for row in range(len(keys)):
        place = ends[keys[row]]
        users_after[place], items_after[place], ratings_after[place] = users[row], items[row], ratings[row]
        ends[keys[row]] += 1
    return starts, users_after, items_after, ratings_after


@compiled
def _shuffle_runs(
    starts: NDArray[np.int64],
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    ratings: NDArray[np.float32],
    seed: int,
) -> None:
    """Shuffle the rows of each run, in place (Fisher and Yates)."""
    state = np.uint64(seed)
    for run in range(len(starts) - 1):
        first = starts[run]
        for last in range(starts[run + 1] - 1, first, -1):
            # Knuth's linear congruential generator; its high bits are random enough for an order.
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            other = first + np.int64((state >> np.uint64(33)) % np.uint64(last - first + 1))
            users[last], users[other] = users[other], users[last]
            items[last], items[other] = items[other], items[last]
            ratings[last], ratings[other] = ratings[other], ratings[last]

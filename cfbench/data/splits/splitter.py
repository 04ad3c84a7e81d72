"""Splitters: their contract (group ``cfbench.splitters``), and how they order ratings: at random, or by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset
from cfbench.errors import DataError

_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test split: row indices into the data set, in the order in which models see them.

    Rows in none of the parts do not exist for the split, but for ``withheld_rows``.

    Attributes:
        name: ``""`` for a single holdout, else e.g. ``"2/5"`` or ``"u1"``.
        train_rows: rows to learn from, shape (a,), int64.
        test_rows: rows to test on, shape (b,), int64; disjoint from ``train_rows``.
        n_given: how many ratings of each held-out user or item were given back to training, or None where that is
            not what the folds are about. Folds of different ``n_given`` are points of a curve and are never
            averaged with each other.
        withheld_rows: rows in neither part whose items are no candidates for their users, shape (c,), int64; None
            for none. What is not given back at one point of a curve and is at the next: so that lists compete for
            the same places at every point.
    """

    name: str
    train_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    n_given: int | None = None
    withheld_rows: NDArray[np.int64] | None = None


class Splitter(Protocol):
    """A way to split the rows of a data set: a dataclass whose init fields are its parameters.

    The same data, parameters and seed must give the same rows on any machine.
    """

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return all folds; raises DataError where the data does not suit the splitter."""
        ...


class SplitsInTimeOrder(Protocol):
    """An optional promise of a splitter: in each of its folds every training row is older than every test row.

    A splitter makes it with ``in_time_order: ClassVar[bool] = True``; one without the attribute promises nothing.
    The harness compares the timestamps of both parts and warns where a promise is broken: a model that has seen the
    future of its test rows is flattered.
    """

    in_time_order: ClassVar[bool]


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

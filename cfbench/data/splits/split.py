"""Splits: the contract of splitters (group ``cfbench.splitters``), and a train/test split as data.

A split is named and fingerprinted, its codes are learned from training alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Coding, Dataset
from cfbench.errors import DataError, PluginError
from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Ratings, frozen

_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test partition, whether a holdout, a fold of several or a point of a curve: row indices in order.

    They are indices into the data set, in the order in which models see the rows. Rows in none of the parts do not
    exist for the split, but for ``withheld_rows``.

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
        return np.asarray(np.lexsort((chance, times, groups)), dtype=np.int64)
    keys *= span
    keys += times - times.min(initial=0)
    return np.take(by_chance, np.argsort(keys[by_chance], kind="stable"))


@dataclass(frozen=True, eq=False)
class TestRows:
    """Test rows, in the split's order.

    Attributes:
        users: user codes, shape (m,), ``train.n_users`` where the user is not in training.
        items: item codes, shape (m,), ``train.n_items`` where the item is not in training.
        ratings: the true ratings, shape (m,), float32.
        user_positions: the users' positions in the data set's table, shape (m,); tells unknown users apart, which
            share one code. Clusters of the bootstrap and users of the ranking are these.
        item_positions: the items' positions in the data set's table, shape (m,).
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    users: Codes
    items: Codes
    ratings: NDArray[np.float32]
    user_positions: NDArray[np.int32]
    item_positions: NDArray[np.int32]

    def __post_init__(self) -> None:
        for name in ("users", "items", "ratings", "user_positions", "item_positions"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.ratings)


@dataclass(frozen=True, eq=False)
class Withheld:
    """Pairs of a list and an item that is no candidate for it: its rating is withheld, in neither part of a split.

    Attributes:
        places: which list, as an index into the ranked users, shape (w,), int64.
        items: item codes, shape (w,), int32, ``0 .. n_items - 1``.
    """

    places: NDArray[np.int64]
    items: Codes

    @property
    def longest(self) -> int:
        """The most items that are withheld from one list."""
        return int(np.bincount(self.places).max()) if len(self.places) else 0

    def taken_out(self, lists: NDArray[np.int32], k: int, n_items: int) -> NDArray[np.int32]:
        """Return the first ``k`` of what is left of every list, shape (u, k), int32.

        Args:
            lists: item codes, best first, shape (u, k + longest) or more, padded with ``n_items``.
            k: how many items to keep.
            n_items: size of the catalogue, and the code that lists are padded with.
        """
        width = n_items + 1
        keys = np.sort(self.places * width + self.items)
        cells = np.arange(len(lists))[:, np.newaxis] * width + lists
        found = np.append(keys, -1)[np.searchsorted(keys, cells)] == cells
        order = np.argsort(found, axis=1, kind="stable")  # what stays first, in its order
        kept = np.take_along_axis(np.where(found, n_items, lists), order, axis=1)
        return np.ascontiguousarray(kept[:, :k], dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Split:
    """A train/test split as data.

    Attributes:
        dataset: the data set.
        name: the splitter as written in tables, e.g. ``"holdout[share=0.2]"``.
        fold: the fold's name, ``""`` for a single holdout.
        train: training ratings.
        test: test ratings.
        user_coding: raw user ids <-> codes.
        item_coding: raw item ids <-> codes.
        train_rows: row indices of the data set, in training order.
        test_rows: row indices of the data set, in test order.
        n_given: ratings of each held-out user or item given back to training, see
            :attr:`cfbench.data.splits.split.Fold.n_given`; None where the fold is no point of a curve.
        withheld_rows: rows in neither part whose items are no candidates for their users; None for none.
    """

    dataset: Dataset
    name: str
    fold: str
    train: Ratings
    test: TestRows
    user_coding: Coding
    item_coding: Coding
    train_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    n_given: int | None = None
    withheld_rows: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, dataset: Dataset, name: str, fold: Fold) -> Split:
        """Learn the codes from the training rows of ``fold`` and translate both parts."""
        _check_partition(dataset, name, fold)
        users, items = dataset.user_index, dataset.item_index
        train_rows, test_rows = fold.train_rows, fold.test_rows
        user_coding = Coding.of(users[train_rows], len(dataset.users))
        item_coding = Coding.of(items[train_rows], len(dataset.items))
        train = Ratings(
            users=user_coding.codes(users[train_rows]),
            items=item_coding.codes(items[train_rows]),
            ratings=dataset.ratings[train_rows],
            timestamps=None if dataset.timestamps is None else dataset.timestamps[train_rows],
            n_users=len(user_coding),
            n_items=len(item_coding),
            scale=dataset.scale,
            user_features=Features.of(dataset.users.columns, user_coding.positions),
            item_features=Features.of(dataset.items.columns, item_coding.positions),
        )
        test = TestRows(
            users=user_coding.codes(users[test_rows]),
            items=item_coding.codes(items[test_rows]),
            ratings=dataset.ratings[test_rows],
            user_positions=users[test_rows],
            item_positions=items[test_rows],
        )
        withheld_rows = None if fold.withheld_rows is None else frozen(fold.withheld_rows)
        parts = (frozen(train_rows), frozen(test_rows), fold.n_given, withheld_rows)
        return cls(dataset, name, fold.name, train, test, user_coding, item_coding, *parts)

    @cached_property
    def test_user_positions(self) -> NDArray[np.int32]:
        """Distinct test users as positions in the data set's table, ascending, shape (t,)."""
        return np.unique(self.test.user_positions)

    @property
    def withheld(self) -> Withheld | None:
        """Which training items are no candidates for which test users, by their index in ``test_user_positions``."""
        if self.withheld_rows is None:
            return None
        users = self.dataset.user_index[self.withheld_rows]
        items = self.item_coding.codes(self.dataset.item_index[self.withheld_rows])
        counts = np.isin(users, self.test_user_positions) & (items < len(self.item_coding))
        return Withheld(np.searchsorted(self.test_user_positions, users[counts]), items[counts])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the data's fingerprint and the membership and order of all parts."""
        digest = hashlib.sha256(b"cfbench-split-1")
        digest.update(self.dataset.fingerprint.encode())
        withheld = () if self.withheld_rows is None else (self.withheld_rows,)
        for rows in (self.train_rows, self.test_rows, *withheld):
            digest.update(np.ascontiguousarray(rows, dtype=np.int64).data)
            digest.update(b"\x1e")
        return digest.hexdigest()


def _check_partition(dataset: Dataset, name: str, fold: Fold) -> None:
    """Raise DataError unless both parts are non-empty, in range, and share no row."""
    where = f"split {name!r}" + (f" fold {fold.name!r}" if fold.name else "") + f" of {dataset.name!r}"
    if not len(fold.train_rows) or not len(fold.test_rows):
        raise DataError(
            f"{where} has {len(fold.train_rows)} training and {len(fold.test_rows)} test rows; "
            "both parts need at least one row: use more data or another share"
        )
    withheld = () if fold.withheld_rows is None else (fold.withheld_rows,)
    parts = [rows for rows in (fold.train_rows, fold.test_rows, *withheld) if len(rows)]
    if any(rows.min() < 0 or rows.max() >= len(dataset) for rows in parts):
        raise PluginError(f"{where} names rows outside 0..{len(dataset) - 1}; the splitter is at fault")
    used = np.zeros(len(dataset), dtype=np.bool_)
    for rows in parts:
        used[rows] = True
    if np.count_nonzero(used) < sum(map(len, parts)):
        raise PluginError(f"{where} uses a row twice; the splitter is at fault")

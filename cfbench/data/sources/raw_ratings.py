"""Ratings as they stand in a file: read, then validated, then assembled into a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Coding, Dataset, Entities, Origin, PublishedFold
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale

Duplicates: TypeAlias = Literal["error", "first", "last", "mean", "keep"]
"""What becomes of rows with the same user and item.

``error`` refuses them; ``first`` and ``last`` keep that row in file order; ``mean`` keeps the first row's
place with the mean rating and the latest time; ``keep`` leaves all of them as separate ratings.
"""


@dataclass(frozen=True, eq=False)
class IdColumn:
    """A column of ids, each distinct id kept once.

    Attributes:
        labels: the distinct ids as text, shape (m,), in any order; may hold ids that no row uses.
        index: position in ``labels`` of each row's id, shape (n,), int32; -1 where the row has none.
        in_order: whether ``labels`` are known to be in the order in which rows first name them, all of them in use.
    """

    labels: NDArray[np.str_]
    index: NDArray[np.int32]
    in_order: bool = False


@dataclass(frozen=True, eq=False)
class RawRatings:
    """The four columns of a ratings file, in file order.

    Attributes:
        users: user ids.
        items: item ids.
        ratings: rating values, shape (n,), float32; NaN where missing.
        timestamps: seconds since 1970, shape (n,), float64, NaN where missing, or int64 where all are whole and there;
            None without such a column.
        file: the file as messages should name it.
        place: tells where a row stands in the file, e.g. ``"line 12"``; may be slow, for messages only.
        unrepeated: whether it is known that no user rates an item twice.
    """

    users: IdColumn
    items: IdColumn
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.float64] | NDArray[np.int64] | None
    file: str
    place: Callable[[int], str]
    unrepeated: bool = False

    def __len__(self) -> int:
        return len(self.ratings)

    @cached_property
    def extremes(self) -> NDArray[np.float32]:
        """The lowest and the highest rating, shape (2,), of one at least; NaN where one is missing."""
        return np.array([self.ratings.min(), self.ratings.max()])

    def pair_keys(self) -> NDArray[np.int64]:
        """One integer per row, equal exactly where user and item are equal; shape (n,)."""
        return self.users.index.astype(np.int64) * len(self.items.labels) + self.items.index


def validated(raw: RawRatings, scale: RatingScale, duplicates: Duplicates) -> RawRatings:
    """Return ``raw`` with the duplicates policy applied, once every rule holds.

    Rules, in this order: at least one row; no missing user, item, rating or time; finite numbers; ratings on
    ``scale``; no repeated pair unless the policy allows it; at least two users and two
    items. Raises DataError that names the file, the first offending row's line and the remedy.
    """
    if len(raw) == 0:
        raise DataError(f"{raw.file} has no ratings, only a header; expected one rating per row")
    for role, column in (("user", raw.users), ("item", raw.items)):
        if not column.in_order and column.index.min() < 0:
            raise _error(raw, column.index < 0, f"no {role}; fill it in or remove the row")
    _check_finite(raw)
    low, high = np.float32(scale.low), np.float32(scale.high)
    lowest, highest = raw.extremes
    if lowest < low or highest > high:
        wrong = (raw.ratings < low) | (raw.ratings > high)
        fault = f"rating {raw.ratings[np.argmax(wrong)]:g} is off the declared scale {scale.low:g} to {scale.high:g}"
        raise _error(raw, wrong, f"{fault}; correct the row or declare another scale")
    kept = _deduplicated(raw, duplicates)
    for role, column in (("user", kept.users), ("item", kept.items)):
        if len(column.labels) == 1 if column.in_order else column.index.min() == column.index.max():
            only = str(column.labels[column.index[0]])
            raise DataError(
                f"{raw.file} has one {role} only ({only!r}); a recommender needs at least two: check that the {role} "
                f"column is the right one ({role}_column=...) and that the separator is (sep=...)"
            )
    return kept


def _check_finite(raw: RawRatings) -> None:
    """Raise DataError where a rating or a time is missing or no finite number."""
    for role, column in (("rating", raw.ratings), ("timestamp", raw.timestamps)):
        if column is None or column.dtype.kind != "f":
            continue
        # NaN is an extreme wherever there is one; the minimum and maximum take less memory than a mask.
        if np.isfinite(raw.extremes if role == "rating" else [column.min(), column.max()]).all():
            continue
        wrong = ~np.isfinite(column)
        value = column[np.argmax(wrong)]
        fault = f"no {role}" if np.isnan(value) else f"the {role} is {value}, expected a finite number"
        raise _error(raw, wrong, f"{fault}; correct or remove the row")


def _deduplicated(raw: RawRatings, policy: Duplicates) -> RawRatings:
    """Apply ``policy`` to rows with the same user and item."""
    if policy == "keep" or raw.unrepeated:
        return raw
    keys = raw.pair_keys()
    if np.all(keys[1:] > keys[:-1]):  # as most files are written: by user, then by item
        return raw
    ordered = np.sort(keys)
    if np.all(ordered[1:] != ordered[:-1]):
        return raw
    order = np.argsort(keys, kind="stable")
    fresh = np.r_[True, np.diff(keys[order]) != 0]  # the first row of each pair, in ``order``
    if policy == "error":
        again = np.zeros(len(raw), dtype=np.bool_)
        again[order[~fresh]] = True
        row = int(np.argmax(again))
        first = int(np.argmax(keys == keys[row]))
        user, item = raw.users.labels[raw.users.index[row]], raw.items.labels[raw.items.index[row]]
        fault = f"user {str(user)!r} rates item {str(item)!r} again, first in {raw.place(first)}"
        raise _error(raw, again, f"{fault}; say what to do with such rows: duplicates=first, last, mean or keep")
    if policy == "last":
        return _rows(raw, np.sort(order[np.r_[fresh[1:], True]]))
    starts = np.flatnonzero(fresh)
    by_place = np.argsort(order[starts], kind="stable")
    merged = _rows(raw, order[starts][by_place])
    if policy == "first":
        return merged
    sizes = np.diff(np.r_[starts, len(order)])
    means = np.add.reduceat(raw.ratings[order].astype(np.float64), starts) / sizes
    latest = None if raw.timestamps is None else np.maximum.reduceat(raw.timestamps[order], starts)[by_place]
    return replace(merged, ratings=means[by_place].astype(np.float32), timestamps=latest)


def _rows(raw: RawRatings, rows: NDArray[np.intp]) -> RawRatings:
    users, items = (IdColumn(column.labels, column.index[rows]) for column in (raw.users, raw.items))
    times = None if raw.timestamps is None else raw.timestamps[rows]
    return RawRatings(users, items, raw.ratings[rows], times, raw.file, lambda row: raw.place(int(rows[row])))


def _error(raw: RawRatings, wrong: NDArray[np.bool_], fault: str) -> DataError:
    """Return an error that names the first ``wrong`` row's place, and how many there are."""
    count = int(np.count_nonzero(wrong))
    rows = "the only such row" if count == 1 else f"{count:,} such rows"
    return DataError(f"{raw.file}, {raw.place(int(np.argmax(wrong)))}: {fault} ({rows})")


def assembled(
    name: str,
    raw: RawRatings,
    *,
    scale: RatingScale,
    relevant_from: float,
    origin: Origin,
    users: Entities | None = None,
    items: Entities | None = None,
    folds: Mapping[str, PublishedFold] | None = None,
) -> Dataset:
    """Build a data set of validated ``raw``, users and items in order of first appearance.

    ``users`` and ``items`` describe entities, in any order; those never rated are left out.
    """
    with ThreadPoolExecutor(2) as pool:
        (user_ids, user_index), (item_ids, item_index) = pool.map(by_first_appearance, (raw.users, raw.items))
    timestamps = None if raw.timestamps is None else raw.timestamps.astype(np.int64, copy=False)
    users, items = described(user_ids, users), described(item_ids, items)
    return Dataset(
        name, users, items, user_index, item_index, raw.ratings, timestamps, scale, relevant_from, origin, folds or {}
    )


def by_first_appearance(column: IdColumn) -> tuple[NDArray[np.str_], NDArray[np.int32]]:
    """Return the ids in use, in the order in which rows first name them, and each row's position among them."""
    if column.in_order:
        return column.labels, column.index
    coding = Coding.of(column.index, len(column.labels))
    return column.labels[coding.positions], coding.codes(column.index)


def described(ids: NDArray[np.str_], known: Entities | None) -> Entities:
    """Return entities ``ids`` with the columns of ``known``; ids it lacks get ``""`` or NaN."""
    if known is None:
        return Entities(ids)
    at = positions_of(ids, known.ids)
    columns = {}
    for name, column in known.columns.items():
        missing = "" if column.dtype.kind == "U" else np.nan
        padded = np.append(column, np.array([missing], dtype=column.dtype))
        columns[name] = padded[at]
    return Entities(ids, columns)


def positions_of(ids: NDArray[Any], table: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each of ``ids`` stands in ``table`` (each once), -1 for those not in it; shape of ``ids``."""
    if not len(table):
        return np.full(len(ids), -1, dtype=np.int64)
    order = np.argsort(table, kind="stable")
    found = order[np.minimum(np.searchsorted(table[order], ids), len(table) - 1)]
    return np.where(table[found] == ids, found, -1)


def content_checksum(raw: RawRatings) -> str:
    """sha256 over (user id, item id, rating) of every row in order, whatever file format they came in."""
    digest = hashlib.sha256(b"cfbench-ratings-1")
    for column in (raw.users, raw.items):
        ids, index = by_first_appearance(column)
        digest.update("\x1f".join(ids.tolist()).encode())
        digest.update(np.ascontiguousarray(index).data)
    digest.update(np.ascontiguousarray(raw.ratings).data)
    return digest.hexdigest()

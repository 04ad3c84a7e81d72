"""The rules that ratings must keep before anything is computed from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from cfbench.data.sources.raw_ratings import IdColumn, RawRatings, extremes
from cfbench.errors import DataError, SpecError
from cfbench.model.ratings import RatingScale

Duplicates: TypeAlias = Literal["error", "first", "last", "mean", "keep"]
"""What becomes of rows with the same user and item.

``error`` refuses them; ``first`` and ``last`` keep that row in file order; ``mean`` keeps the first row's
place with the mean rating and the latest time; ``keep`` leaves all of them as separate ratings.
"""


def check_duplicates_policy(policy: str) -> None:
    """Raise SpecError unless ``policy`` is one of ``Duplicates``."""
    if policy not in get_args(Duplicates):
        raise SpecError(f"duplicates must be one of {', '.join(get_args(Duplicates))}, got {policy!r}")


def validated(raw: RawRatings, scale: RatingScale | None, duplicates: Duplicates) -> RawRatings:
    """Return ``raw`` with the duplicates policy applied, once every rule holds.

    Rules, in this order: at least one row; no missing user, item, rating or time; finite numbers; ratings on
    ``scale`` (where declared); no repeated pair unless the policy allows it; at least two users and two
    items. Raises DataError that names the file, the first offending row's line and the remedy.
    """
    if len(raw) == 0:
        raise DataError(f"{raw.file} has no ratings, only a header; expected one rating per row")
    _check_ids("user", raw.users, raw)
    _check_ids("item", raw.items, raw)
    _check_finite("rating", raw.ratings, raw.extremes, raw)
    if raw.timestamps is not None and raw.timestamps.dtype.kind == "f":
        _check_finite("timestamp", raw.timestamps, extremes(raw.timestamps), raw)
    if scale is not None:
        _check_on_scale(raw, scale)
    kept = _without_duplicates(raw, duplicates)
    _check_several("user", kept.users, raw.file)
    _check_several("item", kept.items, raw.file)
    return kept


def _check_ids(role: str, column: IdColumn, raw: RawRatings) -> None:
    if not column.in_order and column.index.min() < 0:
        missing = column.index < 0
        raise DataError(
            f"{raw.file}, {_first(missing, raw)}: no {role}; fill it in or remove the row ({_times(missing)})"
        )


def _check_finite(role: str, values: NDArray[Any], ends: NDArray[Any], raw: RawRatings) -> None:
    if not np.isfinite(ends).all():  # NaN is an extreme wherever there is one
        wrong = ~np.isfinite(values)
        value = values[np.argmax(wrong)]
        what = f"no {role}" if np.isnan(value) else f"the {role} is {value}, expected a finite number"
        raise DataError(f"{raw.file}, {_first(wrong, raw)}: {what}; correct or remove the row ({_times(wrong)})")


def _check_on_scale(raw: RawRatings, scale: RatingScale) -> None:
    low, high = np.float32(scale.low), np.float32(scale.high)
    lowest, highest = raw.extremes
    if lowest < low or highest > high:
        wrong = (raw.ratings < low) | (raw.ratings > high)
        raise DataError(
            f"{raw.file}, {_first(wrong, raw)}: rating {raw.ratings[np.argmax(wrong)]:g} is off the declared scale "
            f"{scale.low:g} to {scale.high:g}; correct the row or declare another scale ({_times(wrong)})"
        )


def _without_duplicates(raw: RawRatings, policy: Duplicates) -> RawRatings:
    if policy == "keep" or raw.unrepeated or _all_distinct(keys := raw.pair_keys()):
        return raw
    order = np.argsort(keys, kind="stable")
    fresh = np.r_[True, np.diff(keys[order]) != 0]
    if policy == "error":
        raise _duplicate_error(raw, order, fresh)
    if policy == "first":
        return _rows(raw, np.sort(order[fresh]))
    if policy == "last":
        return _rows(raw, np.sort(order[np.r_[fresh[1:], True]]))
    return _averaged(raw, order, fresh)


def _all_distinct(keys: NDArray[np.int64]) -> bool:
    if np.all(keys[1:] > keys[:-1]):  # as most files are written: by user, then by item
        return True
    ordered = np.sort(keys)
    return bool(np.all(ordered[1:] != ordered[:-1]))


def _duplicate_error(raw: RawRatings, order: NDArray[np.intp], fresh: NDArray[np.bool_]) -> DataError:
    again = np.zeros(len(raw), dtype=np.bool_)
    again[order[~fresh]] = True
    row = int(np.argmax(again))
    earlier = int(np.argmax(raw.pair_keys() == raw.pair_keys()[row]))
    user, item = raw.users.labels[raw.users.index[row]], raw.items.labels[raw.items.index[row]]
    return DataError(
        f"{raw.file}, {raw.place(row)}: user {str(user)!r} rates item {str(item)!r} again, first in "
        f"{raw.place(earlier)}; say what to do with such rows: duplicates=first, last, mean or keep ({_times(again)})"
    )


def _averaged(raw: RawRatings, order: NDArray[np.intp], fresh: NDArray[np.bool_]) -> RawRatings:
    starts = np.flatnonzero(fresh)
    sizes = np.diff(np.r_[starts, len(order)])
    means = np.add.reduceat(raw.ratings[order].astype(np.float64), starts) / sizes
    firsts = order[starts]
    by_place = np.argsort(firsts, kind="stable")
    merged = _rows(raw, firsts[by_place])
    times = None
    if raw.timestamps is not None:
        times = np.maximum.reduceat(raw.timestamps[order], starts)[by_place]
    return replace(merged, ratings=means[by_place].astype(np.float32), timestamps=times)


def _rows(raw: RawRatings, rows: NDArray[np.intp]) -> RawRatings:
    return replace(
        raw,
        users=IdColumn(raw.users.labels, raw.users.index[rows]),
        items=IdColumn(raw.items.labels, raw.items.index[rows]),
        ratings=raw.ratings[rows],
        timestamps=None if raw.timestamps is None else raw.timestamps[rows],
        place=lambda row: raw.place(int(rows[row])),
    )


def _check_several(role: str, column: IdColumn, file: str) -> None:
    alone = len(column.labels) == 1 if column.in_order else column.index.min() == column.index.max()
    if alone:
        only = str(column.labels[column.index[0]])
        raise DataError(
            f"{file} has one {role} only ({only!r}); a recommender needs at least two: check that the {role} column "
            f"is the right one ({role}_column=...) and that the separator is (sep=...)"
        )


def _first(wrong: NDArray[np.bool_], raw: RawRatings) -> str:
    return raw.place(int(np.argmax(wrong)))


def _times(wrong: NDArray[np.bool_]) -> str:
    count = int(np.count_nonzero(wrong))
    return "the only such row" if count == 1 else f"{count:,} such rows"

"""Data sets made of validated columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.ids import Coding
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings
from cfbench.model.ratings import RatingScale


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
    with ThreadPoolExecutor(1) as pool:
        of_users = pool.submit(by_first_appearance, raw.users)
        item_ids, item_index = by_first_appearance(raw.items)
    user_ids, user_index = of_users.result()
    return Dataset(
        name=name,
        users=described(user_ids, users),
        items=described(item_ids, items),
        user_index=user_index,
        item_index=item_index,
        ratings=raw.ratings,
        timestamps=None if raw.timestamps is None else raw.timestamps.astype(np.int64, copy=False),
        scale=scale,
        relevant_from=relevant_from,
        origin=origin,
        folds=folds or {},
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


def positions_of(ids: NDArray[np.str_], table: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return where each of ``ids`` stands in ``table`` (unique ids), -1 for those not in it; shape of ``ids``."""
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

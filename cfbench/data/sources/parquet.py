"""Ratings in Parquet; needs pyarrow, the extra ``cfbench[parquet]``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cfbench.data.sources.columns import ColumnNames, Columns
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings
from cfbench.errors import DataError

_Read = TypeVar("_Read")


def read_parquet(path: Path, named: ColumnNames, use_timestamps: bool) -> RawRatings:
    """Read the rating columns of a Parquet file.

    Integer ids become their decimal text; integral floats (what a table makes of integers beside a missing
    value) lose the ``.0``. Raises DataError where the file is damaged, a column is missing or of a
    type that cannot hold ratings or times.
    """
    try:
        header = pq.read_schema(path).names
        columns = Columns.by_name(header, named, str(path))
        if not use_timestamps:
            columns = replace(columns, timestamp=None)
        used = (columns.user, columns.item, columns.rating, columns.timestamp)
        table = pq.read_table(path, columns=[header[at] for at in used if at is not None])
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError, MemoryError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}; write it again, or save it as CSV") from error

    def column(role: str, at: int, read: Callable[[pa.ChunkedArray], _Read], wanted: str) -> _Read:
        values = table[header[at]]
        try:
            return read(values)
        except (pa.ArrowException, ValueError, TypeError, OverflowError, MemoryError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            what = f"{path}: the {role} column {header[at]!r} must hold {wanted}, got {values.type}"
            raise DataError(f"{what} ({reason}); convert it, or name another: {role}_column=...") from error

    with np.errstate(over="ignore"):  # a rating beyond 32 bits becomes infinite, and is refused as such
        ratings = column("rating", columns.rating, _numbers, "numbers").astype(np.float32)
    users = column("user", columns.user, _ids, "texts or whole numbers")
    items = column("item", columns.item, _ids, "texts or whole numbers")
    wanted = "seconds since 1970 or timestamps (or use_timestamps=false)"
    times = None if columns.timestamp is None else column("timestamp", columns.timestamp, _numbers, wanted)
    return RawRatings(users, items, ratings, times, str(path), lambda row: f"row {row + 1}")


def _ids(column: pa.ChunkedArray) -> IdColumn:
    encoded = column.combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no chunk at all stays chunked
        encoded = pa.array([], type=column.type)
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    distinct = encoded.dictionary.to_numpy(zero_copy_only=False)
    index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    if distinct.dtype.kind == "f" and np.all(distinct == np.trunc(distinct)):
        distinct = distinct.astype(np.int64)
    return IdColumn(distinct.astype(np.str_), index.astype(np.int32))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column as floats, NaN where null; times of any unit as whole seconds since 1970."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)

"""Ratings in delimited text, read by the C parser of pandas: no Python object per row."""

from __future__ import annotations

import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfbench.data.sources.columns import ColumnNames, Columns, Layout, is_number, looks_like_header
from cfbench.data.sources.plain_numbers import parsed_numbers
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings
from cfbench.data.sources.text_file import TextFile, texts
from cfbench.errors import DataError

# pandas (from 3.1) turns a category column whose ids all look numeric into numbers, which makes "007" and "7" the same
# id. One leading row with an id that is no number keeps every id text, in any version; it is dropped again.
_NOT_A_NUMBER = "~"


def read_delimited(
    path: Path, sep: str | None, encoding: str, header: bool | None, named: ColumnNames, use_timestamps: bool
) -> RawRatings:
    """Return the ratings in a CSV, TSV, ``::``-separated or RecBole file, gzip or not.

    Args:
        path: the file.
        sep: the separator, or None to take the first of ``::``, tab, ``,``, ``;``, ``|``, blank in the first
            line.
        encoding: of the text.
        header: whether the first row names the columns; None decides by its looks.
        named: columns that the user named.
        use_timestamps: False leaves a column of times unread.

    Raises DataNotFoundError, or DataError that names file, line and remedy.
    """
    text = TextFile.at(path, sep, encoding)
    _, first = next(text.records(), (0, []))
    if not first:
        raise DataError(f"{path} is empty; expected one row per line")
    has_header = header if header is not None else named != ColumnNames() or looks_like_header(first)
    columns = Columns.by_name(first, named, str(path)) if has_header else Columns.by_position(first, str(path))
    if not use_timestamps:
        columns = replace(columns, timestamp=None)
    layout = Layout(text, columns, len(first), has_header)
    if (plain := parsed_numbers(layout)) is not None:
        return plain
    frame = _parsed(layout)
    with ThreadPoolExecutor(2) as pool:
        users, items = pool.map(partial(_ids, path), (frame[columns.user], frame[columns.item]))
    ratings = frame[columns.rating].to_numpy(np.float32)
    times = None if columns.timestamp is None else frame[columns.timestamp].to_numpy(np.float64)
    return RawRatings(users, items, ratings, times, str(path), layout.place)


def _parsed(layout: Layout) -> pd.DataFrame:
    """Parse the file by pandas; what it refuses is looked up again to name the line."""
    text, columns = layout.text, layout.columns
    # With usecols, pandas no longer notices rows that are too long. So it reads all columns, and keeps one byte of
    # those that are not wanted.
    dtypes = dict.fromkeys(range(layout.width), "S1")
    dtypes |= {columns.user: "category", columns.item: "category", columns.rating: "float32"}
    if columns.timestamp is not None:
        dtypes[columns.timestamp] = "float64"
    leading = (_NOT_A_NUMBER if at in (columns.user, columns.item) else "0" for at in range(layout.width))
    before = f"{text.field_sep.join(leading)}\n".encode()
    try:
        with (
            text.stream(skip_first=layout.has_header, before=before) as stream,
            np.errstate(over="ignore"),  # a rating beyond 32 bits becomes infinite, and is refused as such
        ):
            # Blanks after a separator are no part of a field, unless they separate.
            frame = text.parsed(stream, layout.width, dtype=dtypes, na_values=[""], skipinitialspace=text.sep != " ")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{text.path}, line {text.undecodable_line()}: not valid {text.encoding}; say in which encoding it was "
            "written, e.g. encoding=latin-1, or save it as UTF-8"
        ) from error
    except (ValueError, OverflowError) as error:  # ParserError is a ValueError too
        # The first record that the parser cannot have accepted.
        for at, (line, fields) in enumerate(text.records()):
            fault = _fault(layout, fields) if at >= layout.has_header else None
            if fault:
                raise DataError(f"{text.path}, line {line}: {fault}") from error
        raise DataError(f"{text.path} cannot be read: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{text.path} cannot be read to its end: {error}") from error
    return frame.iloc[1:]


def _fault(layout: Layout, fields: list[str]) -> str | None:
    """Return what is wrong with a record, and how to correct it."""
    if len(fields) > layout.width:
        advice = f"quote fields that contain {layout.text.sep!r}, or say sep=..."
        return f"expected {layout.width} fields, got {len(fields)}; {advice}"
    for role, at, wanted in (
        ("rating", layout.columns.rating, "a finite number"),
        ("timestamp", layout.columns.timestamp, "seconds since 1970 (or use_timestamps=false)"),
    ):
        if at is None or at >= len(fields) or not fields[at]:
            continue
        if not is_number(fields[at]) or not math.isfinite(float(fields[at])):
            return f"the {role} is {fields[at]!r}, expected {wanted}; correct or remove the row"
    return None


def _ids(path: Path, column: pd.Series[Any]) -> IdColumn:
    """Return ids without blanks at their ends; those that become equal are one, those that become empty are missing.

    A blank behind an id is invisible in the file, and would make another user of it.
    """
    labels = texts(column.cat.categories.to_numpy(dtype=object), f"{path}: an id")
    index = np.asarray(column.cat.codes, dtype=np.int32)
    bare = np.char.strip(labels)
    if np.array_equal(bare, labels):
        return IdColumn(labels, index)
    labels, merged = np.unique(bare, return_inverse=True)
    merged = np.where(bare == "", -1, merged)
    return IdColumn(labels, np.where(index < 0, -1, merged[index]).astype(np.int32))

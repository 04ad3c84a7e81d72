"""Reading ratings from delimited text with the C parser of pandas: no Python object per row."""

from __future__ import annotations

import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfbench.data.sources.columns import ColumnNames, Columns, looks_like_header
from cfbench.data.sources.plain_numbers import PlainRatings, parsed_numbers
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings
from cfbench.data.sources.text_file import DOUBLE, TextFile, texts
from cfbench.errors import DataError

# pandas (from 3.1) turns a category column whose ids all look numeric into numbers, which makes "007" and "7"
# the same id. One leading row with an id that is no number keeps every id text, in any version; it is dropped
# again.
_NOT_A_NUMBER = "~"

_EXACT = 2**53  # up to here floats hold every whole number


@dataclass(frozen=True)
class _Layout:
    """A text file with its columns settled."""

    text: TextFile
    columns: Columns
    width: int
    has_header: bool

    @property
    def file(self) -> str:
        return str(self.text.path)

    def place(self, row: int) -> str:
        """Name the line of data row ``row`` (from 0)."""
        return f"line {self.text.line_of(row + self.has_header)}"


def read_delimited(
    path: Path, sep: str | None, encoding: str, header: bool | None, named: ColumnNames, use_timestamps: bool
) -> RawRatings:
    """Read a CSV, TSV, ``::``-separated or RecBole file, gzip or not.

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
    layout = _layout(TextFile.at(path, sep, encoding), header, named, use_timestamps)
    columns = layout.columns
    plain = _plain(layout)
    if plain is not None:
        times = None if plain.timestamps is None else _times(plain.timestamps)
        return RawRatings(
            plain.users, plain.items, plain.ratings, times, layout.file, layout.place, unrepeated=plain.unrepeated
        )
    frame = _parsed(layout)
    with ThreadPoolExecutor(1) as aside:
        users = aside.submit(_ids, frame[columns.user], layout.file)
        items = _ids(frame[columns.item], layout.file)
    return RawRatings(
        users=users.result(),
        items=items,
        ratings=frame[columns.rating].to_numpy(np.float32),
        timestamps=None if columns.timestamp is None else frame[columns.timestamp].to_numpy(np.float64),
        file=layout.file,
        place=layout.place,
    )


def _plain(layout: _Layout) -> PlainRatings | None:
    if layout.text.sep == DOUBLE:
        return None
    return parsed_numbers(layout.text.path, layout.text.sep, layout.columns, layout.width, layout.has_header)


def _layout(text: TextFile, header: bool | None, named: ColumnNames, use_timestamps: bool) -> _Layout:
    _, first = next(text.records(), (0, []))
    if not first:
        raise DataError(f"{text.path} is empty; expected one row per line")
    has_header = header if header is not None else named.any or looks_like_header(first)
    file = str(text.path)
    columns = Columns.by_name(first, named, file) if has_header else Columns.by_position(first, file)
    if not use_timestamps:
        columns = columns.without_timestamp()
    return _Layout(text, columns, len(first), has_header)


def _parsed(layout: _Layout) -> pd.DataFrame:
    """Run pandas over the file; whatever it stumbles over is looked up again to name the line."""
    text = layout.text
    try:
        with (
            text.stream(skip_first=layout.has_header, before=_leading_row(layout)) as stream,
            np.errstate(over="ignore"),  # a rating beyond 32 bits becomes infinite, and is refused as such
        ):
            frame: pd.DataFrame = pd.read_csv(stream, **_options(layout))
    except UnicodeDecodeError as error:
        raise _undecodable(text) from error
    except (ValueError, OverflowError) as error:  # ParserError is a ValueError too
        raise _explained(layout, error) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{layout.file} cannot be read to its end: {error}") from error
    return frame.iloc[1:]


def _leading_row(layout: _Layout) -> bytes:
    ids = (layout.columns.user, layout.columns.item)
    fields = (_NOT_A_NUMBER if at in ids else "0" for at in range(layout.width))
    return f"{layout.text.field_sep.join(fields)}\n".encode()


def _options(layout: _Layout) -> dict[str, Any]:
    columns = layout.columns
    # Told which columns to leave out (usecols), pandas no longer notices rows that are too long. So it reads all of
    # them, and keeps one byte of those that are not wanted.
    dtypes = dict.fromkeys(range(layout.width), "S1")
    dtypes |= {columns.user: "category", columns.item: "category", columns.rating: "float32"}
    if columns.timestamp is not None:
        dtypes[columns.timestamp] = "float64"
    return {
        "sep": layout.text.field_sep,
        "quoting": layout.text.quoting,
        "encoding": layout.text.encoding,
        "header": None,
        "names": range(layout.width),
        "index_col": False,
        "dtype": dtypes,
        "keep_default_na": False,
        "na_values": [""],
        "skipinitialspace": layout.text.skips_blanks,
        "engine": "c",
    }


def _times(column: NDArray[np.int64]) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return times as they are; those beyond any calendar always as floats, as they come from texts."""
    return column if column.max() < _EXACT else column.astype(np.float64)


def _ids(column: pd.Series[Any], file: str) -> IdColumn:
    labels = texts(column.cat.categories.to_numpy(dtype=object), f"{file}: an id")
    return _without_outer_blanks(IdColumn(labels, np.asarray(column.cat.codes, dtype=np.int32)))


def _without_outer_blanks(column: IdColumn) -> IdColumn:
    """Strip both ends of the ids; those that become equal are one, those that become empty are missing.

    A blank behind an id is never seen by whoever wrote the file, and would make a new user of it.
    """
    bare = np.char.strip(column.labels)
    if np.array_equal(bare, column.labels):
        return column
    labels, merged = np.unique(bare, return_inverse=True)
    merged = np.where(bare == "", -1, merged)
    return IdColumn(labels, np.where(column.index < 0, -1, merged[column.index]).astype(np.int32))


def _undecodable(text: TextFile) -> DataError:
    line = text.undecodable_line()
    return DataError(
        f"{text.path}, line {line}: not valid {text.encoding}; say in which encoding it was written, "
        "e.g. encoding=latin-1, or save it as UTF-8"
    )


def _explained(layout: _Layout, error: Exception) -> DataError:
    """Find the first record that the parser cannot have accepted, and say what is wrong with it."""
    for at, (line, fields) in enumerate(layout.text.records()):
        if at < layout.has_header:
            continue
        found = _complaint(layout, fields)
        if found:
            return DataError(f"{layout.file}, line {line}: {found}")
    return DataError(f"{layout.file} cannot be read: {error}")


def _complaint(layout: _Layout, fields: list[str]) -> str | None:
    if len(fields) > layout.width:
        return (
            f"expected {layout.width} fields, got {len(fields)}; quote fields that contain {layout.text.sep!r}, "
            "or say sep=..."
        )
    columns = layout.columns
    for role, at in (("rating", columns.rating), ("timestamp", columns.timestamp)):
        if at is None or at >= len(fields) or not fields[at]:
            continue
        try:
            finite = math.isfinite(float(fields[at]))
        except ValueError:
            finite = False
        if not finite:
            wanted = "a finite number" if role == "rating" else "seconds since 1970 (or use_timestamps=false)"
            return f"the {role} is {fields[at]!r}, expected {wanted}; correct or remove the row"
    return None

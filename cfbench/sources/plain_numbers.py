"""Reading large files of nothing but plain numbers: ids are parsed as numbers, and no text is made of a row.

Ids are text to cfbench: ``007`` and ``7`` are two. Where every field of a file is the one usual way to write a number,
numbers and texts are the same thing, and the parser of numbers is several times faster than that of texts.
"""

from __future__ import annotations

import csv
import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfbench.sources.columns import Columns
from cfbench.sources.raw import IdColumn

_WORTH_IT = 1 << 20  # bytes; smaller files are read in no time either way
_BLOCK = 1 << 18  # bytes looked at at a time: they stay in the processor's cache
_SPAN = _BLOCK << 6  # bytes looked at by one thread
_AT_ONCE = 2
_ROWS = 1 << 15  # ratings told apart at a time
_WIDEST = 8  # characters of a rating, one less than which it may have: as many as a whole number of 64 bits
_CELLS_PER_ROW = 8  # ids up to so many times the rows are counted in a table, higher ones hashed
_DOT, _ZERO, _NEWLINE, _CARRIAGE_RETURN = (np.uint8(ord(char)) for char in ".0\n\r")
_UP_TO_NINE = np.uint8(ord("9") - ord("."))  # from the dot; a slash lies between, which no parser of numbers accepts


def parsed_numbers(path: Path, sep: str, columns: Columns, width: int, has_header: bool) -> pd.DataFrame | None:
    """Return the columns by position, ids as int32 or int64, or None where ``path`` has to be read as text.

    That is: where a field after the header is no plain number (letters, sign, quotes, blanks, a leading zero), where an
    id or a time is missing or no whole number, and where the file is small or zipped. What is wrong with a file is not
    told here.
    """
    if path.stat().st_size < _WORTH_IT:
        return None
    data = np.memmap(path, dtype=np.uint8, mode="r")
    start = _end_of_header(data) if has_header else 0
    if start is None or not _fits(data[start : start + _BLOCK], sep, width) or not _all_plain(data, start, sep):
        return None
    del data  # unmapped, so that its pages do not count beside those of the parser
    frame = _parsed(path, sep, columns, width, has_header, "int32")  # most ids fit, and memory takes its time too
    return _parsed(path, sep, columns, width, has_header, "int64") if frame is None else frame


def _parsed(
    path: Path, sep: str, columns: Columns, width: int, has_header: bool, ids: Literal["int32", "int64"]
) -> pd.DataFrame | None:
    dtypes = dict.fromkeys(range(width), "S1")
    dtypes |= {columns.user: ids, columns.item: ids, columns.rating: f"S{_WIDEST}"}
    if columns.timestamp is not None:
        dtypes[columns.timestamp] = "int64"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that fit no integer; they are not plain
            # Given a path and UTF-8, pandas (from 3.1) parses parts of the file at the same time.
            frame: pd.DataFrame = pd.read_csv(
                path,
                sep=sep,
                header=None,
                names=range(width),
                skiprows=int(has_header),
                quoting=csv.QUOTE_NONE,
                index_col=False,
                dtype=dtypes,
                na_filter=False,  # an empty field is no number, which is told like all else that is none
                decimal="_",  # which no plain number has: "1.0" would be taken for the whole number 1
                engine="c",
                compression=None,
            )
        frame[columns.rating] = _numbers(frame[columns.rating].to_numpy())
    except (ValueError, OverflowError, OSError):
        return None
    return frame


def _numbers(column: NDArray[np.bytes_]) -> NDArray[np.float32]:
    """Return the numbers that short texts say, shape (n,), each distinct one parsed once.

    Raises ValueError where one says no number, or may have been cut off.
    """
    numbers = np.empty(len(column), dtype=np.float32)
    known: dict[bytes, float] = {}
    for start in range(0, len(column), _ROWS):
        part = slice(start, start + _ROWS)
        codes, distinct = pd.factorize(np.ascontiguousarray(column[part]).view(np.uint64))
        texts = distinct.view(column.dtype).tolist()
        known |= _read([text for text in texts if text not in known])
        numbers[part] = np.array([known[text] for text in texts], dtype=np.float32)[codes]
    return numbers


def _read(texts: list[bytes]) -> dict[bytes, float]:
    """Parse ``texts`` as pandas parses a column of ratings."""
    if not all(0 < len(text) < _WIDEST for text in texts):
        raise ValueError("empty or too long")
    if not texts:
        return {}
    parsed = pd.read_csv(
        io.BytesIO(b"\n".join(texts)), header=None, dtype="float32", na_filter=False, quoting=csv.QUOTE_NONE, engine="c"
    )
    return dict(zip(texts, parsed[0], strict=True))


def number_ids(column: NDArray[np.int32] | NDArray[np.int64]) -> IdColumn:
    """Return ids as text, each once, with the position of every row's; shape (n,), none below 0."""
    highest = int(column.max(initial=0))
    if highest < _CELLS_PER_ROW * len(column):
        present = np.zeros(highest + 1, dtype=np.bool_)
        present[column] = True
        distinct = np.flatnonzero(present)
        place = np.zeros(highest + 1, dtype=np.int32)
        place[distinct] = np.arange(len(distinct), dtype=np.int32)
        index = place[column]
    else:
        codes, found = pd.factorize(column)
        distinct, index = found.astype(np.int64), codes.astype(np.int32)
    return IdColumn(distinct.astype(f"<U{len(str(highest))}"), index)


def _fits(start: NDArray[np.uint8], sep: str, width: int) -> bool:
    """Say whether the first row has at most ``width`` fields: pandas would leave the last ones of all rows out."""
    first_row = start.tobytes().lstrip(b"\r\n").partition(b"\n")[0]
    return first_row.count(sep.encode()) < width


def _all_plain(data: NDArray[np.uint8], start: int, sep: str) -> bool:
    """Say whether all from ``start`` on is fields of digits and dots, none with a leading zero."""
    separator = np.uint8(ord(sep))
    opening = np.concatenate([[_NEWLINE], data[start : start + 2]])  # the first field has nothing before it
    if not _is_plain(opening, separator):
        return False

    def span_is_plain(first: int) -> bool:
        after = min(first + _SPAN, len(data))
        # Two bytes more than a block: each is seen with its neighbours.
        return all(_is_plain(data[at : at + _BLOCK + 2], separator) for at in range(first, after, _BLOCK))

    with ThreadPoolExecutor(_AT_ONCE) as aside:
        return all(aside.map(span_is_plain, range(start, len(data), _SPAN)))


def _end_of_header(data: NDArray[np.uint8]) -> int | None:
    """Return where the second line begins; None where the first is empty, too long, or ends in an unusual way."""
    first, newline, _ = data[:_BLOCK].tobytes().partition(b"\n")
    return len(first) + 1 if newline and first.strip() and b"\r" not in first[:-1] else None


def _is_plain(block: NDArray[np.uint8], separator: np.uint8) -> bool:
    figures = (block - _DOT) <= _UP_TO_NINE  # what is below the dot wraps around to high numbers
    borders = (block <= _CARRIAGE_RETURN) | (block == separator)  # ends of lines; other control characters do not parse
    if np.count_nonzero(figures) + np.count_nonzero(borders) != len(block):
        return False
    first_zeros = np.flatnonzero(borders[:-2] & (block[1:-1] == _ZERO))  # few: what follows is looked at one by one
    followed = block[first_zeros + 2]
    return not (figures[first_zeros + 2] & (followed != _DOT)).any()

"""Fast reading of large files of plain numbers: ids are parsed as numbers, and no text is made of a row.

Ids are text to cfbench: ``007`` and ``7`` are two. Where every field of a file is the one usual way to write a number,
numbers and texts are the same thing, and the parser of numbers is several times faster than that of texts.

The usual way to write a whole number is also the shortest. So it is enough to count: a parser that accepts a sign, a
blank, a leading zero or an empty line has passed over more characters than the numbers that it returned need. A file is
of plain numbers exactly where its characters are as many as those of the numbers, separators and ends of lines.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfbench.data.sources.columns import Layout
from cfbench.data.sources.raw_ratings import IdColumn, RawRatings

_LEAST_BYTES = 1 << 20  # smaller files are read in no time either way
_BLOCK, _BLOCKS = 1 << 24, 16  # most bytes parsed at a time, and fewest turns: large ones take memory, small ones time
_LONGEST_LINE = 1 << 18  # bytes; longer ones are no row of numbers
_MOST_THREADS = 6
_BYTES_PER_CODE = 4  # of the file, for a table of ids that takes about as much memory as the file does
_WIDTH = 8  # characters of a rating: as many as a whole number of 64 bits has bytes
_EXACT = 2**53  # up to here floats hold every whole number
_FIRST_CODES = 1 << 16
_RUN = 4  # rows of one id in succession, on average, from which on it pays to look for them


@dataclass(frozen=True, eq=False)
class _Part:
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.int64] | None
    ascends: bool  # by user, then item, each pair after the one before


def parsed_numbers(layout: Layout) -> RawRatings | None:
    """Return the ratings of a file, or None where it has to be read as text.

    That is: where a field after the header is no plain number (letters, sign, quotes, blanks, a leading zero), where an
    id or a time is missing or no whole number, where a rating has more than seven characters, and where the file is
    small or zipped, or its separator has two characters. Never raises for a fault of the file: the parser of texts says
    what is wrong.
    """
    text = layout.text
    size = text.path.stat().st_size
    if size < _LEAST_BYTES or len(text.sep) > 1:
        return None
    try:
        with warnings.catch_warnings():
            # Of fields too many and of numbers that fit no integer: the count of characters finds both.
            warnings.simplefilter("ignore")
            return _joined(_parts(layout, _bounds(text.path, size, layout.has_header)), size, layout)
    except (ValueError, OverflowError, OSError):
        return None


def _joined(parts: Iterator[_Part], size: int, layout: Layout) -> RawRatings:
    """Put the parts of a file of ``size`` bytes together, each as soon as it is parsed."""
    users, items = (Numbering(size // _BYTES_PER_CODE) for _ in range(2))
    ratings, timestamps = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
    ascends, last = True, (-1, -1)
    for part in parts:
        users.add(part.users)
        items.add(part.items)
        append(ratings, part.ratings)
        if part.timestamps is not None:
            append(timestamps, part.timestamps)
        ascends = ascends and part.ascends and last < (part.users[0], part.items[0])
        last = (part.users[-1], part.items[-1])
    if not len(ratings):
        raise ValueError("no rows")
    times: NDArray[Any] | None = timestamps if len(timestamps) else None
    if times is not None and times.max() >= _EXACT:  # beyond any calendar: as they come from texts
        times = times.astype(np.float64)
    file = str(layout.text.path)
    return RawRatings(users.column(), items.column(), ratings, times, file, layout.place, bool(ascends))


def _bounds(path: Path, size: int, has_header: bool) -> list[int]:
    """Return where blocks of whole lines begin and end, in bytes."""
    block = min(_BLOCK, size // _BLOCKS)
    with path.open("rb") as file:
        if has_header:
            header = file.readline(_LONGEST_LINE)
            if not header.strip() or b"\r" in header[:-2] or not header.endswith(b"\n"):
                raise ValueError("a header that ends in an unusual way")
        bounds = [file.tell()]
        while bounds[-1] < size:
            file.seek(min(bounds[-1] + block, size))
            if len(file.readline(_LONGEST_LINE)) == _LONGEST_LINE:
                raise ValueError("a line too long for numbers")
            bounds.append(file.tell())
    return bounds


def _parts(layout: Layout, bounds: list[int]) -> Iterator[_Part]:
    """Parse the blocks in several threads, and yield them in order; the next few are held ready."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(_MOST_THREADS, processors)
    waiting: deque[Future[_Part]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for start, stop in pairwise(bounds):
            waiting.append(pool.submit(_part, layout, start, stop))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Bytes:
    """A file of bytes in memory. pandas would decode those of ``io.BytesIO``, and encode them again."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks; pandas takes only what can be iterated over for a file."""
        return iter(lambda: self.read(_LONGEST_LINE), b"")


def _part(layout: Layout, start: int, stop: int) -> _Part:
    """Parse the bytes from ``start`` to ``stop``; raises ValueError where a number is written in an unusual way."""
    columns, width = layout.columns, layout.width
    with layout.text.path.open("rb") as source:
        source.seek(start)
        data = source.read(stop - start)
    if b"e" in data or b"E" in data:  # 1e3 has fewer characters than 1000, and could make up for an empty line
        raise ValueError("an exponent")
    # Fields that are not used must be whole numbers too, for their characters are counted.
    dtypes = dict.fromkeys(range(width), "int64") | {columns.rating: f"S{_WIDTH}"}
    # Without a filter of missing fields, an empty one is no number, and is refused like all else that is none. Decimal
    # points are what no plain number has: "1.0" would be taken for the whole number 1.
    frame = layout.text.parsed(_Bytes(data), width, dtype=dtypes, quoting=csv.QUOTE_NONE, na_filter=False, decimal="_")
    fields: dict[int, NDArray[Any]] = {at: frame[at].to_numpy() for at in range(width)}
    ratings, written = short_numbers(fields.pop(columns.rating))
    written += sum(map(_digits, fields.values())) + len(ratings) * (width - 1)
    ends = len(data) - written
    # Each row but the last takes an end of line; where there are no more characters, they need not be looked for.
    if ends != len(ratings) - (data[-1:] not in b"\r\n") and ends != data.count(b"\n") + data.count(b"\r"):
        raise ValueError("a number that is written in an unusual way")
    users, items = fields[columns.user], fields[columns.item]
    later = (users[1:] > users[:-1]) | ((users[1:] == users[:-1]) & (items[1:] > items[:-1]))
    times = None if columns.timestamp is None else fields[columns.timestamp]
    return _Part(users, items, ratings, times, bool(later.all()))


def _digits(column: NDArray[np.int64]) -> int:
    """Return how many digits whole numbers have in all; raises ValueError where one is negative."""
    lowest, highest = int(column.min()), int(column.max())
    if lowest < 0:
        raise ValueError("a negative number")
    fewest, most = len(str(lowest)), len(str(highest))
    return len(column) * fewest + sum(int(np.count_nonzero(column >= 10**digits)) for digits in range(fewest, most))


def short_numbers(texts: NDArray[np.bytes_]) -> tuple[NDArray[np.float32], int]:
    """Return the numbers written in ``texts``, shape (n,), and how many characters these have in all.

    Args:
        texts: shape (n,), of dtype S8, at least one; each distinct one is parsed once.

    Raises ValueError where one is empty or no plain number (digits, at most one dot), or so long that it may have been
    cut off.
    """
    codes, distinct = pd.factorize(np.ascontiguousarray(texts).view(np.uint64))
    characters = distinct.view(np.uint8).reshape(len(distinct), _WIDTH)
    allowed = ((characters >= ord("0")) & (characters <= ord("9"))) | (characters == ord("."))
    lengths = np.count_nonzero(allowed, axis=1)
    if not len(distinct) or lengths.min() == 0:
        raise ValueError("a rating is missing")
    if not np.all(allowed | (characters == 0)) or lengths.max() == _WIDTH:
        raise ValueError("a rating that is no plain number of at most seven characters")
    # A whole number of at most seven digits over a power of ten: rounded once, as by any parser.
    numbers = distinct.view(f"S{_WIDTH}").astype(np.float64).astype(np.float32)
    return numbers.take(codes), int(np.bincount(codes) @ lengths)


def append(rows: NDArray[Any], part: NDArray[Any]) -> None:
    """Append ``part`` to ``rows`` in place; there must be no view of ``rows``.

    Systems give a large array more memory where it is, or move it by its page tables: there are never two copies of it.
    """
    start = len(rows)
    rows.resize(start + len(part), refcheck=False)
    rows[start:] = part


class Numbering:
    """Codes of the ids of one column, whole numbers.

    Ids below ``most_codes`` are looked up in a table of as many codes; where one is higher, all ids are kept as
    they are and told apart by hashing at the end, which takes twice the memory and several times as long.
    """

    def __init__(self, most_codes: int) -> None:
        self._most_codes = most_codes
        self._code_of = np.full(_FIRST_CODES, -1, dtype=np.int32)
        self._ids = np.empty(0, dtype=np.int64)  # in order of first appearance
        self._codes = np.empty(0, dtype=np.int32)
        self._sparse: list[NDArray[np.int64]] = []  # ids of rows, all of them once one is beyond the table

    def add(self, ids: NDArray[np.int64]) -> None:
        """Add the ids of the next rows, shape (rows,), at least one, none below 0."""
        highest = int(ids.max())
        if not self._sparse and highest >= self._most_codes:
            self._sparse = [self._ids[self._codes]]
        if self._sparse:
            self._sparse.append(ids)
            return
        if highest >= len(self._code_of):
            table = np.full(min(2 * highest + 1, self._most_codes), -1, dtype=np.int32)
            table[: len(self._code_of)] = self._code_of[: len(table)]
            self._code_of = table
        changes = ids[1:] != ids[:-1]
        if np.count_nonzero(changes) >= len(ids) // _RUN:
            append(self._codes, self._looked_up(ids))
        else:
            # Most files are sorted by user: an id is looked up once for all the rows that it has in succession.
            starts = np.append(0, np.flatnonzero(changes) + 1)
            append(self._codes, np.repeat(self._looked_up(ids[starts]), np.diff(starts, append=len(ids))))

    def column(self) -> IdColumn:
        """Return the ids of all rows that were added."""
        codes, ids = pd.factorize(np.concatenate(self._sparse)) if self._sparse else (self._codes, self._ids)
        labels = ids.astype(f"<U{len(str(ids.max(initial=0)))}")
        return IdColumn(labels, codes.astype(np.int32, copy=False), in_order=True)

    def _looked_up(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the code of each id, shape (rows,); those met for the first time get the next codes."""
        codes = self._code_of.take(ids)
        if codes.min() < 0:
            fresh = pd.unique(ids[codes < 0])
            self._code_of[fresh] = np.arange(len(self._ids), len(self._ids) + len(fresh), dtype=np.int32)
            append(self._ids, fresh)
            codes = self._code_of.take(ids)
        return codes

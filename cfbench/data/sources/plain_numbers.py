"""Reading large files of nothing but plain numbers: ids are parsed as numbers, and no text is made of a row.

Ids are text to cfbench: ``007`` and ``7`` are two. Where every field of a file is the one usual way to write a number,
numbers and texts are the same thing, and the parser of numbers is several times faster than that of texts.

The usual way to write a whole number is also the shortest. So it is enough to count: a parser that accepts a sign, a
blank, a leading zero or an empty line has passed over more characters than the numbers that it returned need. A file is
of plain numbers exactly where its characters are as many as those of the numbers, separators and ends of lines.
"""

from __future__ import annotations

import csv
import os
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfbench.data.sources.columns import Columns
from cfbench.data.sources.growing import Growing
from cfbench.data.sources.numbering import Numbering
from cfbench.data.sources.raw_ratings import IdColumn
from cfbench.data.sources.short_texts import WIDTH, short_numbers

_WORTH_IT = 1 << 20  # bytes; smaller files are read in no time either way
_BLOCK = 1 << 24  # bytes parsed at a time
_LONGEST_LINE = 1 << 18  # bytes; longer ones are no row of numbers
_MOST_THREADS = 6
_ROOM = 1.05  # for rows that turn out shorter than the first ones
_BYTES_PER_CELL = 4  # of the file, for a table of ids that takes about as much memory as the file does


@dataclass(frozen=True, eq=False)
class PlainRatings:
    """The columns of a file of plain numbers, as in ``RawRatings``; times as they were parsed, int64."""

    users: IdColumn
    items: IdColumn
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.int64] | None
    unrepeated: bool


@dataclass(frozen=True)
class _File:
    path: Path
    sep: str
    columns: Columns
    width: int

    @property
    def dtypes(self) -> dict[int, str]:
        """What fields are read as; those that nobody asked for must be whole numbers too, for they are counted."""
        return dict.fromkeys(range(self.width), "int64") | {self.columns.rating: f"S{WIDTH}"}


@dataclass(frozen=True, eq=False)
class _Part:
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.int64] | None
    ascends: bool
    size: int  # bytes of the file

    def follows(self, before: _Part) -> bool:
        """Say whether rows ascend from the last of ``before`` to the first of this."""
        return bool((before.users[-1], before.items[-1]) < (self.users[0], self.items[0]))


def parsed_numbers(path: Path, sep: str, columns: Columns, width: int, has_header: bool) -> PlainRatings | None:
    """Return the ratings of ``path``, or None where it has to be read as text.

    That is: where a field after the header is no plain number (letters, sign, quotes, blanks, a leading zero), where an
    id or a time is missing or no whole number, where a rating has more than seven characters, and where the file is
    small or zipped. What is wrong with a file is not told here.
    """
    size = path.stat().st_size
    if size < _WORTH_IT:
        return None
    file = _File(path, sep, columns, width)
    try:
        with warnings.catch_warnings():
            # Of fields too many and of numbers that fit no integer. The count of characters tells of them.
            warnings.simplefilter("ignore")
            return _joined(_parts(file, _bounds(path, has_header)), size)
    except (ValueError, OverflowError, OSError):
        return None


def _joined(parts: Iterator[_Part], size: int) -> PlainRatings:
    """Put the parts of a file of ``size`` bytes together."""
    first = next(parts, None)
    if first is None:
        raise ValueError("no rows")
    expected = int(_ROOM * size / first.size * len(first.ratings))
    cells = size // _BYTES_PER_CELL
    users, items = Numbering(cells, expected), Numbering(cells, expected)
    ratings: Growing[np.float32] = Growing(np.float32, expected)
    timestamps: Growing[np.int64] = Growing(np.int64, expected)
    ascends, before = True, None
    for part in chain([first], parts):
        users.add(part.users)
        items.add(part.items)
        ratings.add(part.ratings)
        if part.timestamps is not None:
            timestamps.add(part.timestamps)
        ascends = ascends and part.ascends and (before is None or part.follows(before))
        before = part
    times = None if first.timestamps is None else timestamps.taken()
    return PlainRatings(users.column(), items.column(), ratings.taken(), times, unrepeated=ascends)


def _bounds(path: Path, has_header: bool) -> list[int]:
    """Return where parts of whole lines begin and end, in bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        bounds = [_after_header(file) if has_header else 0]
        while bounds[-1] < size:
            file.seek(min(bounds[-1] + _BLOCK, size))
            rest = len(file.readline(_LONGEST_LINE))
            if rest == _LONGEST_LINE:
                raise ValueError("a line too long for numbers")
            bounds.append(file.tell())
    return bounds


def _after_header(file: IO[bytes]) -> int:
    first = file.readline(_LONGEST_LINE)
    if not first.strip() or b"\r" in first[:-2] or not first.endswith(b"\n"):
        raise ValueError("a header that ends in an unusual way")
    return len(first)


def _parts(file: _File, bounds: list[int]) -> Iterator[_Part]:
    """Parse the parts in several threads, and yield them in order; the next few are held ready."""
    threads = min(_MOST_THREADS, _processors())
    waiting: deque[Future[_Part]] = deque()
    with ThreadPoolExecutor(threads) as aside:
        for start, stop in pairwise(bounds):
            waiting.append(aside.submit(_part, file, start, stop))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Span:
    """The bytes from ``start`` to ``stop`` of an open file, as pandas asks for them.

    It is none of io's classes, whose bytes pandas would make text of, and bytes again.
    """

    def __init__(self, source: IO[bytes], start: int, stop: int) -> None:
        source.seek(start)
        self._source, self._left, self.last = source, stop - start, b""

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, fewer at the end, all that are left where it is negative."""
        block = self._source.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        self.last = block[-1:] or self.last
        return block

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks; pandas takes only what can be iterated over for a file."""
        return iter(lambda: self.read(_LONGEST_LINE), b"")


def _part(file: _File, start: int, stop: int) -> _Part:
    with file.path.open("rb", buffering=0) as source:
        span = _Span(source, start, stop)
        fields = _parsed(file, span)
        ratings, written = short_numbers(fields.pop(file.columns.rating))
        written += sum(map(_characters, fields.values())) + len(ratings) * (file.width - 1)
        ends = stop - start - written
        # Each row but the last takes an end of line; where there are no more characters, they need not be looked for.
        if ends != len(ratings) - (span.last not in b"\r\n") and ends != _ends_of_lines(_Span(source, start, stop)):
            raise ValueError("a number that is written in an unusual way")
    users, items = fields[file.columns.user], fields[file.columns.item]
    later = (users[1:] > users[:-1]) | ((users[1:] == users[:-1]) & (items[1:] > items[:-1]))
    times = None if file.columns.timestamp is None else fields[file.columns.timestamp]
    return _Part(users, items, ratings, times, bool(later.all()), stop - start)


def _parsed(file: _File, span: _Span) -> dict[int, NDArray[Any]]:
    frame: pd.DataFrame = pd.read_csv(
        cast("Any", span),  # typed for files, of which the parser takes no more than this
        sep=file.sep,
        header=None,
        names=range(file.width),
        quoting=csv.QUOTE_NONE,
        index_col=False,
        dtype=file.dtypes,
        na_filter=False,  # an empty field is no number, which is told like all else that is none
        decimal="_",  # which no plain number has: "1.0" would be taken for the whole number 1
        engine="c",
    )
    return {at: frame[at].to_numpy() for at in range(file.width)}


def _characters(column: NDArray[np.int64]) -> int:
    """Return how many digits whole numbers have in all; raises ValueError where one is negative."""
    lowest, highest = int(column.min()), int(column.max())
    if lowest < 0:
        raise ValueError("a negative number")
    fewest, most = len(str(lowest)), len(str(highest))
    return len(column) * fewest + sum(int(np.count_nonzero(column >= 10**digits)) for digits in range(fewest, most))


def _ends_of_lines(span: _Span) -> int:
    return sum(block.count(b"\n") + block.count(b"\r") for block in span)

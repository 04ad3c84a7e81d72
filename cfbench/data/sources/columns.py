"""Layout of a file of ratings: which column is the user, the item, the rating, the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cfbench.data.sources.text_file import TextFile
from cfbench.errors import DataError

ALIASES = {
    "user": ("user", "userid", "uid", "reviewerid", "customerid", "visitorid"),
    "item": ("item", "itemid", "iid", "movie", "movieid", "book", "bookid", "isbn", "product", "productid", "asin",
             "parentasin", "article", "articleid", "song", "songid", "artist", "artistid", "business", "businessid"),
    "rating": ("rating", "ratings", "userrating", "bookrating", "overall", "score", "stars", "star", "value",
               "preference"),
    "timestamp": ("timestamp", "ratingtimestamp", "ts", "time", "unixtime", "unixreviewtime", "unixtimestamp"),
}  # fmt: skip
"""Accepted column names, without case, underscores, hyphens, spaces and RecBole's ``:type`` suffix."""

REQUIRED = ("user", "item", "rating")

_EARLIEST_TIME = 1e8  # seconds since 1970, in 1973: before any rating on a computer, and above any rating scale


@dataclass(frozen=True)
class ColumnNames:
    """Columns that the user named; None leaves it to the aliases."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True)
class Columns:
    """Positions of the four columns in a file, 0-based."""

    user: int
    item: int
    rating: int
    timestamp: int | None

    @classmethod
    def by_name(cls, header: Sequence[str], named: ColumnNames, file: str) -> Columns:
        """Find the columns in ``header``; raises DataError where one is missing or could be several."""
        found: dict[str, Any] = {role: _position(role, header, named, file) for role in ALIASES}
        missing = [role for role in REQUIRED if found[role] is None]
        if missing:
            free = (title.strip() for at, title in enumerate(header) if at not in found.values())
            suggestion = next(filter(None, free), None)
            advice = f"name it, e.g. {missing[0]}_column=" if suggestion else f"add a column for the {missing[0]}"
            raise DataError(
                f"{file}: no column for {' and '.join(missing)}; the file has {', '.join(map(repr, header))}; "
                f"{advice}{suggestion or ''}"
            )
        return cls(**found)

    @classmethod
    def by_position(cls, first: Sequence[str], file: str) -> Columns:
        """Take columns 1 to 3 as user, item, rating, and a fourth as the time where ``first`` has a number there.

        ``first`` holds the fields of the file's first row. Raises DataError on fewer than three columns, and on a
        third that looks like a time.
        """
        if len(first) < len(REQUIRED):
            raise DataError(
                f"{file}, line 1: expected at least user, item and rating, got {len(first)} column(s): "
                f"{', '.join(map(repr, first))}; if the separator is another one, say sep=..."
            )
        if is_number(first[2]) and _EARLIEST_TIME < float(first[2]) < math.inf:
            raise DataError(
                f"{file}, line 1: without a header the third column is the rating, got {first[2]!r}, which looks like "
                "seconds since 1970; add a first line that names the columns, e.g. user,item,timestamp,rating in "
                "the file's order"
            )
        timed = len(first) > len(REQUIRED) and is_number(first[3])
        return cls(0, 1, 2, 3 if timed else None)


@dataclass(frozen=True)
class Layout:
    """A text file with its columns settled.

    Attributes:
        text: the file.
        columns: where the four columns are.
        width: number of fields of a row.
        has_header: whether the first row names the columns.
    """

    text: TextFile
    columns: Columns
    width: int
    has_header: bool

    def place(self, row: int) -> str:
        """Return the line of data row ``row`` (from 0) for messages."""
        return f"line {self.text.line_of(row + self.has_header)}"


def looks_like_header(first: Sequence[str]) -> bool:
    """Say whether a first row is a header: a row of data has at least its rating as a number, a header has none."""
    return not any(is_number(field) for field in first)


def normalised(name: str) -> str:
    """Reduce a column name to what aliases are compared by: ``"User_ID:token"`` -> ``"userid"``."""
    bare = name.strip().strip('"').partition(":")[0].casefold()
    return "".join(char for char in bare if char.isalnum())


def is_number(text: str) -> bool:
    """Whether ``text`` reads as a number (``nan`` and ``inf`` included)."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _position(role: str, header: Sequence[str], named: ColumnNames, file: str) -> int | None:
    name = getattr(named, role)
    if name is not None:
        found = [at for at, title in enumerate(header) if title.strip() == name]
        found = found or [at for at, title in enumerate(header) if normalised(title) == normalised(name)]
        if not found:
            columns = ", ".join(map(repr, header))
            raise DataError(f"{file}: {role}_column={name!r} is not among its columns: {columns}")
    else:
        # The first alias that matches wins: a file with both "user_id" and "customer_id" has users by
        # "user_id".
        places = [[at for at, title in enumerate(header) if normalised(title) == alias] for alias in ALIASES[role]]
        found = next((matches for matches in places if matches), [])
    if len(found) > 1:
        same = " and ".join(repr(header[at]) for at in found)
        raise DataError(f"{file}: columns {same} could both be the {role}; name one: {role}_column=...")
    return found[0] if found else None

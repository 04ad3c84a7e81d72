"""A new user's ratings from a small CSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.item_titles import Titles
from cfbench.errors import DataError, UsageError
from cfbench.model.features import Features
from cfbench.model.ratings import Ratings, RatingScale

_ITEM_COLUMNS = ("title", "item", "item_id", "id")
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class OwnRatings:
    """What somebody has rated.

    Attributes:
        items: item codes, no two the same, shape (m,), m at least 1.
        ratings: in rating units, shape (m,).
    """

    items: NDArray[np.int32]
    ratings: NDArray[np.float32]


def read_own_ratings(path: Path, titles: Titles, scale: RatingScale) -> OwnRatings:
    """Read a CSV file with the columns ``title`` or ``item`` (titles or ids, found by :class:`Titles`) and ``rating``.

    Raises DataError that names file and lines: no such columns, nothing in it, fields too many or too few, titles that
    are not found, rated twice, or ratings that are no numbers of the scale.
    """
    found: dict[int, float] = {}
    mistakes = []
    for line, (item, rating) in _rows(path):
        try:
            code, value = titles.find(item.strip()), _rating(rating, scale)
            if code in found:
                raise DataError(f"{item!r} is rated twice; keep one")
            found[code] = value
        except UsageError as error:
            mistakes.append(f"line {line}: {error}")
    if mistakes:
        more = f"; and {len(mistakes) - _SHOWN} more mistakes" if len(mistakes) > _SHOWN else ""
        raise DataError(f"{path}, {'; '.join(mistakes[:_SHOWN])}{more}")
    if not found:
        raise DataError(f"{path} holds no ratings; give one or more rows below the headings")
    return OwnRatings(np.array(list(found), dtype=np.int32), np.array(list(found.values()), dtype=np.float32))


def with_user(train: Ratings, own: OwnRatings, features: Features | None) -> Ratings:
    """Return ``train`` with one user more, who gets the code ``n_users`` and has rated last.

    ``features`` is the new user's row; it must have the columns of ``train.user_features``, or be None with them.
    """
    m = len(own.items)
    times = train.timestamps
    latest = None if times is None else np.append(times, np.full(m, times.max(initial=0), dtype=np.int64))
    return replace(
        train,
        users=np.append(train.users, np.full(m, train.n_users, dtype=np.int32)),
        items=np.append(train.items, own.items),
        ratings=np.append(train.ratings, own.ratings),
        timestamps=latest,
        n_users=train.n_users + 1,
        user_features=_joined(train.user_features, features),
    )


def _joined(known: Features | None, new: Features | None) -> Features | None:
    if known is None or new is None:
        return known
    return Features({name: np.append(column, new.columns[name]) for name, column in known.columns.items()})


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield line number, item and rating of every row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            headings = [heading.strip().lower() for heading in next(reader, [])]
            item, rating = _columns(headings, path)
            for fields in reader:
                if not any(field.strip() for field in fields):
                    continue
                if len(fields) != len(headings):
                    raise DataError(
                        f"{path}, line {reader.line_num}: expected {len(headings)} fields, got {len(fields)}; put "
                        "titles that hold a comma in double quotes"
                    )
                yield reader.line_num, (fields[item], fields[rating])
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error


def _columns(headings: list[str], path: Path) -> tuple[int, int]:
    item = next((headings.index(name) for name in _ITEM_COLUMNS if name in headings), None)
    if item is None or "rating" not in headings:
        told = ", ".join(map(repr, headings)) or "nothing"
        raise DataError(f"{path}: expected the headings 'title' (or 'item') and 'rating' in its first line, got {told}")
    return item, headings.index("rating")


def _rating(text: str, scale: RatingScale) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not scale.low <= value <= scale.high:
        raise DataError(f"rating {text.strip()!r}: expected a number from {scale}")
    return value

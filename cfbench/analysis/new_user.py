"""Ratings and side information of a new user, from a CSV file and from ``key=value`` texts."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from cfbench.analysis.catalogue import TitleIndex
from cfbench.errors import DataError, SpecError, UnknownNameError, UsageError
from cfbench.model.features import Features, is_text
from cfbench.model.ratings import Ratings, RatingScale

_ITEM_COLUMNS = ("title", "item", "item_id", "id")
_MAX_MISTAKES = 5
_FEW_VALUES = 60
_SEPARATOR = "|"


def new_user_features(text: str, known: Features | None) -> Features:
    """Return one row of features, e.g. of ``"age=24,occupation=student"`` or ``""``; what is not given is missing.

    Args:
        text: ``key=value`` pairs, separated by commas; several values of one key are joined by ``|``.
        known: features of the training users; they decide which keys there are and which of them are numbers.

    Raises:
        UsageError: the data have no features of users, so that nothing can be learned from them.
        SpecError: a part is not ``key=value``, a key comes twice, or a number is none.
        UnknownNameError: a key, or a value of a key with few values, that training does not have.
    """
    if known is None:
        raise UsageError("these data know nothing of their users beside ratings; give ratings: --ratings FILE.csv")
    given: dict[str, str] = {}
    for part in text.split(",") if text else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise SpecError(f"cannot read {part.strip()!r} of --features: expected key=value,key=value")
        if key not in known.columns:
            raise UnknownNameError.among("feature", key, known.columns)
        if key in given:
            raise SpecError(f"--features gives {key!r} twice; keep one")
        given[key] = value
    columns = {}
    for name, column in known.columns.items():
        value = given.get(name, "")
        if is_text(column):
            choices = {part for values in np.unique(column) for part in str(values).split(_SEPARATOR)} - {""}
            for part in value.split(_SEPARATOR) if value else ():
                if len(choices) <= _FEW_VALUES and part not in choices:
                    raise UnknownNameError.among(name, part, choices)
            columns[name] = np.array([value], dtype=np.str_)
        else:
            number = _number(value)
            if value and not math.isfinite(number):
                raise SpecError(f"--features: {name} expects a number, got {value!r}")
            columns[name] = np.array([number], dtype=np.float32)
    return Features(columns)


def read_user_ratings(path: Path, titles: TitleIndex, scale: RatingScale) -> dict[int, float]:
    """Return ratings by item code, at least one, from a CSV file.

    Its columns are ``title`` or ``item`` (titles or ids, found by ``titles``) and ``rating``; others are ignored.

    Raises DataError that names file and lines: no such columns, nothing in it, fields too many or too few, titles that
    are not found, rated twice, or ratings that are no numbers of the scale.
    """
    ratings: dict[int, float] = {}
    mistakes = []
    for line, item, text in _rows(path):
        try:
            code, rating = titles.find(item.strip()), _number(text)
            if not scale.low <= rating <= scale.high:
                raise DataError(f"rating {text.strip()!r}: expected a number from {scale}")
            if code in ratings:
                raise DataError(f"{item!r} is rated twice; keep one")
            ratings[code] = rating
        except UsageError as error:
            mistakes.append(f"line {line}: {error}")
    if mistakes:
        more = f"; and {len(mistakes) - _MAX_MISTAKES} more mistakes" if len(mistakes) > _MAX_MISTAKES else ""
        raise DataError(f"{path}, {'; '.join(mistakes[:_MAX_MISTAKES])}{more}")
    if not ratings:
        raise DataError(f"{path} holds no ratings; give one or more rows below the headings")
    return ratings


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line number, item and rating of every row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            headings = [heading.strip().lower() for heading in next(reader, [])]
            items = [headings.index(name) for name in _ITEM_COLUMNS if name in headings]
            if not items or "rating" not in headings:
                found = ", ".join(map(repr, headings)) or "nothing"
                raise DataError(
                    f"{path}: expected the headings 'title' (or 'item') and 'rating' in its first line, got {found}"
                )
            for fields in reader:
                if not any(field.strip() for field in fields):
                    continue
                if len(fields) != len(headings):
                    raise DataError(
                        f"{path}, line {reader.line_num}: expected {len(headings)} fields, got {len(fields)}; put "
                        "titles that hold a comma in double quotes"
                    )
                yield reader.line_num, fields[items[0]], fields[headings.index("rating")]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def with_user(train: Ratings, ratings: Mapping[int, float], features: Features | None) -> Ratings:
    """Return ``train`` with one user more, who gets the code ``n_users`` and has rated last.

    ``ratings`` are by item code; ``features`` is the new user's row, with the columns of ``train.user_features``, or
    None where there are none.
    """
    n, times, known = len(ratings), train.timestamps, train.user_features
    if known is not None and features is not None:
        known = Features({name: np.append(column, features.columns[name]) for name, column in known.columns.items()})
    return replace(
        train,
        users=np.append(train.users, np.full(n, train.n_users, dtype=np.int32)),
        items=np.append(train.items, np.array(list(ratings), dtype=np.int32)),
        ratings=np.append(train.ratings, np.array(list(ratings.values()), dtype=np.float32)),
        timestamps=None if times is None else np.append(times, np.full(n, times.max(initial=0), dtype=np.int64)),
        n_users=train.n_users + 1,
        user_features=known,
    )

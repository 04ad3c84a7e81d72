"""Side information of users and items: columns of text or numbers, and yes-or-no indicators learned from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.arrays import frozen

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

_TEXT, _NUMBERS = "U", "biuf"  # numpy's letters for the kinds of a column

NO_FEATURES = frozenset({"title", "zip"})
"""Columns of an entity table that name rather than describe: hardly two entities share a title or a zip code, so
nothing can be learned from them about others."""

MOST_BINS = 10
"""The most bins, of about equally many training entities, that a column of numbers is cut into."""


@dataclass(frozen=True, eq=False)
class Features:
    """Side information of users or items, one row each.

    Attributes:
        columns: at least one, each of shape (n,): text, where ``""`` is missing and several values are joined by
            ``|`` (``"Crime|Drama"``), or numbers, where NaN is missing. Read-only.
    """

    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        if len({len(column) for column in self.columns.values()}) != 1:
            lengths = {name: len(column) for name, column in self.columns.items()}
            raise ValueError(f"features need one or more columns of equal length, got {lengths}")
        for name, column in self.columns.items():
            if column.ndim != 1 or column.dtype.kind not in _TEXT + _NUMBERS:
                raise ValueError(
                    f"feature {name!r} must be a 1-d array of text or numbers, got shape {column.shape} of "
                    f"{column.dtype}; convert it with .astype(np.str_) or .astype(np.float32)"
                )
        columns = {name: frozen(column) for name, column in self.columns.items()}
        object.__setattr__(self, "columns", MappingProxyType(columns))

    @classmethod
    def of(cls, table: Mapping[str, NDArray[Any]], rows: NDArray[np.integer[Any]]) -> Features | None:
        """Return ``rows`` of an entity table's columns, in that order, without columns that only name entities.

        Returns None where no column is left; see :data:`NO_FEATURES`.
        """
        columns = {name: column[rows] for name, column in table.items() if name not in NO_FEATURES}
        return cls(columns) if columns else None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def is_text(column: NDArray[Any]) -> bool:
    """Return whether a feature is text; otherwise it is numbers."""
    return column.dtype.kind in _TEXT


@dataclass(frozen=True, eq=False)
class Memberships:
    """Indicators of every entity, in CSR form.

    Attributes:
        indptr: entity ``e`` has ``indices[indptr[e]:indptr[e + 1]]``, shape (n + 1,), int64.
        indices: indicators, ascending within an entity, without repetition, shape (nnz,), int64.
        width: number of indicators of the vocabulary.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    width: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "indptr", frozen(self.indptr))
        object.__setattr__(self, "indices", frozen(self.indices))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """The entity of every element of ``indices``, shape (nnz,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The indicators of some features, as the training entities have them.

    A column of text has one indicator for each value, parts of ``|``-joined values counting one by one; values that
    no training entity has are ignored later. A column of numbers has one for each bin: every distinct number where
    there are at most :data:`MOST_BINS`, else bins between the training entities' quantiles (tenths, so ages and years
    come out as cohorts of about equal size). A bin reaches from its least number to below the next bin's; the first
    and the last are open to the outside. Missing values have no indicator.

    Attributes:
        marks: by column, the values in ascending order (text) or the least number of each bin, shape (width of the
            column,).
    """

    marks: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, features: Features) -> Vocabulary:
        """Learn the values and bins that occur in ``features``, of the training entities."""
        marks = {
            name: np.unique(_parts(column)[1]) if is_text(column) else _least_of_bins(column)
            for name, column in features.columns.items()
        }
        return cls(MappingProxyType(marks))

    def __len__(self) -> int:
        return sum(map(len, self.marks.values()))

    @property
    def columns(self) -> NDArray[np.int64]:
        """The number of the column that each indicator belongs to, shape (len(self),)."""
        return np.repeat(np.arange(len(self.marks)), [len(marks) for marks in self.marks.values()])

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every indicator: ``"genres=Drama"``, ``"year>=1990"``."""
        return tuple(
            f"{name}{'=' if is_text(marks) else '>='}{mark if is_text(marks) else f'{mark:g}'}"
            for name, marks in self.marks.items()
            for mark in marks.tolist()
        )

    def to_parts(self) -> dict[str, NDArray[Any]]:
        """Return the names of the columns and the marks of each by name, to be saved with a model."""
        marks = {f"marks_{number}": marks for number, marks in enumerate(self.marks.values())}
        return {"columns": np.array(list(self.marks), dtype=np.str_), **marks}

    @classmethod
    def from_parts(cls, parts: Mapping[str, NDArray[Any]]) -> Vocabulary:
        """Put together what :meth:`to_parts` took apart; raises TypeError or ValueError for other parts."""
        if not is_text(parts["columns"]):
            raise TypeError(f"names of columns are texts, got {parts['columns'].dtype}")
        marks = {name: parts[f"marks_{number}"] for number, name in enumerate(parts["columns"].tolist())}
        # Marks are of the form that columns of features have.
        return cls(MappingProxyType({name: Features({name: own}).columns[name] for name, own in marks.items()}))

    def memberships(self, features: Features) -> Memberships:
        """Return the indicators of every entity of ``features``, be they training or cold-start entities.

        A column that is not there counts as missing, one that the vocabulary lacks is ignored. Raises ValueError
        where a column is text on one side and numbers on the other.
        """
        keys, first = [np.empty(0, dtype=np.int64)], 0
        for name, marks in self.marks.items():
            if name in features.columns:
                entities, values = _indicators(name, features.columns[name], marks)
                keys.append(entities * len(self) + first + values)
            first += len(marks)
        unique = np.unique(np.concatenate(keys))  # by entity, then indicator
        entities, indices = np.divmod(unique, max(1, len(self)))
        indptr = np.searchsorted(entities, np.arange(len(features) + 1))
        return Memberships(indptr.astype(np.int64), indices, len(self))

    def values_per_column(self, found: Memberships) -> NDArray[np.int64]:
        """Return how many values the entity has in the column of each element of ``found.indices``, shape (nnz,).

        A film of three genres has 3 for each of them; models weigh an indicator by its inverse or the root of that.
        """
        fields = found.rows * max(1, len(self.marks)) + self.columns[found.indices]
        return np.asarray(np.bincount(fields)[fields])


def _indicators(name: str, column: NDArray[Any], marks: NDArray[Any]) -> Pairs:
    """Return entity and position among ``marks`` of every value of ``column`` that is among ``marks``."""
    if is_text(column) != is_text(marks):
        raise ValueError(
            f"feature {name!r} was {marks.dtype} in training and is {column.dtype} now; "
            "give it as text both times, or as numbers"
        )
    if not is_text(column):
        entities = np.flatnonzero(np.isfinite(column)) if len(marks) else np.empty(0, dtype=np.int64)
        return entities, np.maximum(np.searchsorted(marks, column[entities], side="right") - 1, 0)
    entities, parts = _parts(column)
    positions = np.searchsorted(marks, parts)
    known = np.flatnonzero(marks[np.minimum(positions, len(marks) - 1)] == parts) if len(marks) else positions[:0]
    return entities[known], positions[known]


def _parts(column: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Split ``|``-joined text: the entity of each part and the part, empty ones left out."""
    if not len(column):
        return np.empty(0, dtype=np.int64), column
    parts = np.array("|".join(column.tolist()).split("|"), dtype=np.str_)
    entities = np.repeat(np.arange(len(column)), np.strings.count(column, "|") + 1)
    present = parts != ""
    return entities[present], parts[present]


def _least_of_bins(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return the least number of each bin, ascending."""
    numbers = column[np.isfinite(column)].astype(np.float64)
    distinct: NDArray[np.float64] = np.unique(numbers)
    if len(distinct) <= MOST_BINS:
        return distinct
    shares = np.arange(1, MOST_BINS) / MOST_BINS
    # A quantile that is one of the numbers itself: no rounding of means can differ between machines.
    cuts = np.quantile(numbers, shares, method="inverted_cdf")
    return np.unique(np.append(cuts, distinct[0]))

"""Side information of users and items: columns of text or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.arrays import frozen

_TEXT, _NUMBERS = "U", "biuf"  # numpy's letters for the kinds of a column

NO_FEATURES = frozenset({"title", "zip"})
"""Columns of an entity table that name rather than describe: hardly two entities share a title or a zip code, so
nothing can be learned from them about others."""


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

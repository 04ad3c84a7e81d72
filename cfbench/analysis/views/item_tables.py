"""A table of named columns: unrounded as a file, rounded for readers."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.reporting.csv_files import inert
from cfbench.reporting.table import Column as TableColumn
from cfbench.reporting.table import Table, TableCell

Column: TypeAlias = Sequence[object] | NDArray[Any]
"""One column of a table."""


@dataclass(frozen=True, eq=False)
class Listing:
    """One table.

    Attributes:
        stem: name of its file, without ending.
        title: its heading.
        columns: columns by name, equally long: text, whole numbers or floats, NaN where there is nothing to say.
        notes: what a reader must know.
    """

    stem: str
    title: str
    columns: Mapping[str, Column]
    notes: tuple[str, ...] = ()

    def sheet(self) -> Table:
        """Return the table for readers: floats with three decimals."""
        rows = tuple(
            tuple(TableCell(_rounded(value)) for value in row) for row in zip(*self.columns.values(), strict=True)
        )
        columns = tuple(
            TableColumn(name, "text" if number == 0 or any(isinstance(one, str) for one in values) else "figure")
            for number, (name, values) in enumerate(self.columns.items())
        )
        return Table(self.title, columns, rows, self.notes)

    def csv(self) -> str:
        """Return the table as the text of a CSV file, nothing rounded, nothing where there is NaN, text made inert."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(inert, self.columns))
        writer.writerows([_exact(value) for value in row] for row in zip(*self.columns.values(), strict=True))
        return text.getvalue()


def _rounded(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.3f}" if math.isfinite(value) else "-"
    return f"{value:,d}" if isinstance(value, int | np.integer) else str(value)


def _exact(value: object) -> object:
    if isinstance(value, float | np.floating):
        return repr(float(value)) if math.isfinite(value) else ""
    return inert(value)

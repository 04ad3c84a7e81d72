"""A table before any format: entries in rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

_TEXTS = frozenset({"plugin", "reason", "check", "metric", "best", "model", "figure", "title", "genres"})

Mark: TypeAlias = Literal["", "best", "tie"]


@dataclass(frozen=True)
class TableCell:
    """One cell of a table: its text, the interval beside it, and how it is marked."""

    text: str
    mark: Mark = ""
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: its heading.
        columns: column headings; the first column names the row.
        rows: entries, one per column.
        notes: what a reader must know to believe it.
        on_terminal: whether a terminal shows it with intervals (``"full"``), without (``"brief"``) or not at all.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    notes: tuple[str, ...] = ()
    on_terminal: Literal["full", "brief", "no"] = "brief"

    def is_text(self, column: int) -> bool:
        """Whether a column holds words, which are aligned to the left, rather than figures."""
        return column == 0 or self.columns[column] in _TEXTS

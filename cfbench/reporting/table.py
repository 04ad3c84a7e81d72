"""Tables before any format: columns with their kinds, and cells in rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Mark: TypeAlias = Literal["", "best", "tie"]

BETTER: Mapping[str, str] = {"lower": "lower is better", "higher": "higher is better"}
"""The direction of a metric in words; a metric without one is not in it."""


@dataclass(frozen=True)
class Column:
    """A column's heading and how it is shown.

    Attributes:
        title: its heading.
        kind: ``figure`` (aligned to the right, never wrapped), ``text`` (aligned to the left, wrapped where space is
            short), or ``origin`` (text about where a row comes from, which narrow terminals leave out).
        direction: which values of a metric are better.
    """

    title: str
    kind: Literal["figure", "text", "origin"] = "figure"
    direction: Literal["lower", "higher", "none"] = "none"


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
        columns: the first one names the rows.
        rows: cells, one per column.
        notes: sentences below the table that a reader needs to understand it.
        on_terminal: whether a terminal shows it with intervals (``"full"``), without (``"brief"``) or not at all.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    notes: tuple[str, ...] = ()
    on_terminal: Literal["full", "brief", "no"] = "brief"

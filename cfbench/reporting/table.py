"""Tables, and their form in Markdown: columns with their kinds, and cells in rows."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tabulate import tabulate

from cfbench.files.printable import printable_line

Mark: TypeAlias = Literal["", "best", "tie"]

BETTER: Mapping[str, str] = {"lower": "lower is better", "higher": "higher is better"}
"""The direction of a metric in words; a metric without one is not in it."""

_MARKED = {"best": "**{}**", "tie": "{} ≈", "": "{}"}
_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")


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


def section(table: Table, heading: str = "###") -> str:
    """Return one table under its title, a ``heading`` of that level, with its notes below."""
    notes = [escaped(note) for note in table.notes if note]
    return "\n\n".join([f"{heading} {escaped(table.title)}", markdown_table(table), *notes])


def markdown_table(table: Table) -> str:
    """Return one table as a pipe table."""
    rows = [
        [f"{_MARKED[cell.mark].format(escaped(cell.text))} {escaped(cell.interval)}".rstrip() for cell in row]
        for row in table.rows
    ]
    headings = [escaped(column.title) for column in table.columns]
    alignment = ["right" if column.kind == "figure" else "left" for column in table.columns]
    return tabulate(rows, headers=headings, tablefmt="pipe", disable_numparse=True, colalign=alignment)


def escaped(text: str) -> str:
    """Make text from plugins and data harmless in Markdown and in the HTML that it becomes."""
    line = printable_line(" ".join(text.split()))
    return html.escape(_SPECIAL.sub(r"\\\1", line), quote=False)

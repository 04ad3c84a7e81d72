"""Tables, columns with their kinds and cells in rows, and their forms: in Markdown and on a terminal.

On a terminal figures are never cut in two; columns that do not fit follow below, the first one repeated.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

from cfbench.files.printable import printable_line

Mark: TypeAlias = Literal["", "best", "tie"]

BETTER: Mapping[str, str] = {"lower": "lower is better", "higher": "higher is better"}
"""The direction of a metric in words; a metric without one is not in it."""

_MARKED = {"best": "**{}**", "tie": "{} ≈", "": "{}"}
_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")

_WIDEST = 0.5  # of the terminal, for one column of words
_NARROWEST = 0.25  # of the terminal, to which it may shrink for the sake of the others
_BESIDE = 3  # characters that a column takes beside its own: padding on both sides, and the space between two
_ROOM_FOR_ORIGINS = 160  # narrower terminals leave out where a row comes from
_MARKED_ON_TERMINAL = {"best": " *", "tie": " ≈", "": ""}
_STYLE = {"best": "bold green", "tie": "bold", "": ""}


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


def print_table(table: Table, console: Console) -> None:
    """Print one table, unless it is meant for pages alone."""
    if table.on_terminal == "no":
        return
    for part in _parts(table, console.width):
        console.print(part)
    for note in table.notes:
        console.print(shown(note, "dim"))
    console.print()


def _parts(table: Table, width: int) -> Iterator[RichTable]:
    """Yield a table whole where it fits, with headings and intervals broken if need be, or its columns in parts."""
    kept = [i for i, column in enumerate(table.columns) if column.kind != "origin" or width >= _ROOM_FOR_ORIGINS]
    for tight in (False, True):
        widths = {i: _width(table, i, width, tight) for i in kept}
        if _total(widths.values()) <= width:
            break
    # The first column stands in every part, and each part has one more column at least.
    parts = [[kept[0]]]
    for i in kept[1:]:
        part = [*parts[-1], i]
        if len(part) > 2 and _total(widths[one] for one in part) > width:
            parts.append([kept[0], i])
        else:
            parts[-1] = part
    for number, part in enumerate(parts):
        title = table.title + (" (continued)" if number else "")
        yield _part(table, title, {i: widths[i] for i in part}, tight)


def _total(widths: Iterable[int]) -> int:
    return sum(width + _BESIDE for width in widths) + 1


def _width(table: Table, i: int, width: int, tight: bool) -> int:
    """Return how many characters column ``i`` needs on a terminal of ``width``; the least of them where ``tight``."""
    column = table.columns[i]
    heading = column.title.split() if tight else [column.title]
    lines = [line for row in table.rows for line in _lines(table, row[i], tight)]
    widest = max((cell_len(printable_line(line)) for line in [*heading, *lines]), default=0)
    if column.kind == "figure":
        return widest
    return min(widest, int(width * (_NARROWEST if tight else _WIDEST)))


def _lines(table: Table, cell: TableCell, tight: bool) -> list[str]:
    """Return the text of one cell, line by line, the interval below the figure."""
    interval = cell.interval if table.on_terminal == "full" else ""
    return [cell.text + _MARKED_ON_TERMINAL[cell.mark], *(interval.split() if tight else filter(None, [interval]))]


def _part(table: Table, title: str, widths: Mapping[int, int], tight: bool) -> RichTable:
    part = RichTable(title=shown(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    for i, width in widths.items():
        column = table.columns[i]
        if column.kind == "figure":
            heading = wrap(column.title, width, break_long_words=False) if tight else [column.title]
            part.add_column(_stacked(heading), justify="right", no_wrap=True)
        else:
            part.add_column(shown(column.title), overflow="fold", max_width=None if tight else width)
    for row in table.rows:
        texts = []
        for i, width in widths.items():
            first, *interval = _lines(table, row[i], tight)
            text = _stacked(_behind_commas(first, width) if i == 0 else [first], _STYLE[row[i].mark])
            texts.append(text.append("\n").append(_stacked(interval, "not bold dim")) if interval else text)
        part.add_row(*texts)
    return part


def _stacked(lines: Sequence[str], style: str = "") -> Text:
    return Text("\n", style=style).join(shown(line, style) for line in lines)


def _behind_commas(name: str, width: int) -> list[str]:
    """Break the name of a row, which may hold a model's parameters, into lines of at most ``width`` where it can be."""
    lines = [""]
    for part in re.findall("[^,]*,|[^,]+", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append(part.lstrip())
        else:
            lines[-1] += part
    return lines


def shown(text: str, style: str = "") -> Text:
    """Make ``text`` harmless on a terminal: it is shown, never obeyed, markup included, and stays one line."""
    return Text(printable_line(text), style=style)

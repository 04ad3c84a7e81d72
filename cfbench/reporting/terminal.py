"""Tables on a terminal: figures are never cut in two; columns that do not fit follow below, the first one repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cfbench.files.printable import printable_line
from cfbench.reporting.table import Table, TableCell

_WIDEST = 0.5  # of the terminal, for one column of words
_NARROWEST = 0.25  # of the terminal, to which it may shrink for the sake of the others
_BESIDE = 3  # characters that a column takes beside its own: padding on both sides, and the space between two
_ROOM_FOR_ORIGINS = 160  # narrower terminals leave out where a row comes from
_MARK = {"best": " *", "tie": " ≈", "": ""}
_STYLE = {"best": "bold green", "tie": "bold", "": ""}


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
    return [cell.text + _MARK[cell.mark], *(interval.split() if tight else filter(None, [interval]))]


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

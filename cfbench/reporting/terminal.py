"""Sheets on a terminal: figures are never cut in two; what is too wide stands below, the first column repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cfbench.files.printable import printable_line
from cfbench.records.lines import Line
from cfbench.reporting.markdown import tables_of
from cfbench.reporting.notes import condition_sentences
from cfbench.reporting.result_groups import result_groups
from cfbench.reporting.standings import standing_table, standings
from cfbench.reporting.table import Table, TableCell

_WIDEST = 0.5  # of the terminal, for one column of words
_NARROWEST = 0.25  # of the terminal, to which it may shrink for the sake of the others
_BESIDE = 3  # characters that a column takes beside its own: padding on both sides, and the space between two
_MARK = {"best": " *", "tie": " ≈", "": ""}
_ROOM_FOR_PLUGINS = 160  # narrower terminals leave out which distribution a model comes from
_STYLE = {"best": "bold green", "tie": "bold", "": ""}


def print_report(lines: Iterable[Line], console: Console) -> None:
    """Print the tables of a run; those that only a page has room for are left to the page."""
    lines = list(lines)
    for division in result_groups(lines):
        console.rule(shown(f"{division.dataset}, {division.split}"))
        for sentence in condition_sentences(division.settings):
            console.print(shown(sentence, "dim"))
        console.print()
        for sheet in tables_of(division):
            print_table(sheet, console)
    for standing in standings(lines):
        print_table(standing_table(standing), console)


def print_table(sheet: Table, console: Console) -> None:
    """Print one sheet, unless it is meant for pages alone."""
    if sheet.on_terminal == "no":
        return
    for table in _tables(sheet, console.width):
        console.print(table)
    for note in sheet.notes:
        console.print(shown(note, "dim"))
    console.print()


def _tables(sheet: Table, width: int) -> Iterator[RichTable]:
    """Lay a sheet out in one table where it fits, by breaking headings and intervals if need be, or in several."""
    kept = [i for i, column in enumerate(sheet.columns) if column != "plugin" or width >= _ROOM_FOR_PLUGINS]
    widths = [_width(sheet, i, width, tight=False) for i in kept]
    if tight := _total(widths) > width:
        widths = [_width(sheet, i, width, tight=True) for i in kept]
    for number, block in enumerate(_blocks(widths, width)):
        title = sheet.title + (" (continued)" if number else "")
        yield _table(sheet, title, {kept[place]: widths[place] for place in block}, tight)


def _total(widths: Sequence[int]) -> int:
    return sum(width + _BESIDE for width in widths) + 1


def _blocks(widths: Sequence[int], width: int) -> list[list[int]]:
    """Deal columns, by their places, into as few tables as ``width`` allows; the first column stands in each."""
    blocks = [[0]]
    for place in range(1, len(widths)):
        block = [*blocks[-1], place]
        if len(block) > 2 and _total([widths[one] for one in block]) > width:
            blocks.append([0, place])
        else:
            blocks[-1] = block
    return blocks


def _width(sheet: Table, column: int, width: int, tight: bool) -> int:
    """Return how many characters a column needs on a terminal of ``width``; the least of them where ``tight``."""
    heading = _heading(sheet.columns[column], tight)
    entries = [line for row in sheet.rows for line in _lines(row[column], sheet.on_terminal == "full", tight)]
    widest = max((cell_len(printable_line(line)) for line in [*heading, *entries]), default=0)
    if sheet.is_text(column):
        return min(widest, int(width * (_NARROWEST if tight else _WIDEST)))
    return widest


def _heading(text: str, tight: bool) -> list[str]:
    return text.split() if tight else [text]


def _lines(entry: TableCell, with_interval: bool, tight: bool) -> list[str]:
    """Return what is written in one cell, line by line."""
    interval = entry.interval if with_interval else ""
    return [entry.text + _MARK[entry.mark], *(interval.split() if tight else filter(None, [interval]))]


def _table(sheet: Table, title: str, widths: dict[int, int], tight: bool) -> RichTable:
    table = RichTable(title=shown(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    for i, width in widths.items():
        if sheet.is_text(i):
            table.add_column(shown(sheet.columns[i]), overflow="fold", max_width=None if tight else width)
        else:
            heading = wrap(sheet.columns[i], width, break_long_words=False) if tight else [sheet.columns[i]]
            table.add_column(_stacked(heading), justify="right", no_wrap=True)
    for row in sheet.rows:
        table.add_row(*(_cell(sheet, row[i], i, width, tight) for i, width in widths.items()))
    return table


def _cell(sheet: Table, entry: TableCell, column: int, width: int, tight: bool) -> Text:
    first, *interval = _lines(entry, sheet.on_terminal == "full", tight)
    words = _behind_commas(first, width) if column == 0 else [first]
    text = _stacked(words, _STYLE[entry.mark])
    return text.append("\n").append(_stacked(interval, "not bold dim")) if interval else text


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

"""Sheets on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from cfbench.records.lines import Line
from cfbench.report.division import divisions
from cfbench.report.notes import condition_sentences
from cfbench.report.sheet import Entry, Sheet
from cfbench.report.sheets import sheets
from cfbench.report.shown import shown
from cfbench.report.standings import standing_sheet, standings

_WIDEST = 0.5  # of the terminal, for one column
_MARK = {"best": " *", "tie": " ≈", "": ""}
_ROOM_FOR_PLUGINS = 160  # narrower terminals leave out which distribution a model comes from
_STYLE = {"best": "bold green", "tie": "bold", "": ""}


def print_report(lines: Iterable[Line], console: Console) -> None:
    """Print the tables of a run; those that only a page has room for are left to the page."""
    lines = list(lines)
    for division in divisions(lines):
        console.rule(shown(f"{division.dataset}, {division.split}"))
        for sentence in condition_sentences(division.settings):
            console.print(shown(sentence, "dim"))
        console.print()
        for sheet in sheets(division):
            print_sheet(sheet, console)
    for standing in standings(lines):
        print_sheet(standing_sheet(standing), console)


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print one sheet, unless it is meant for pages alone."""
    if sheet.on_terminal == "no":
        return
    console.print(_table(sheet, console.width))
    for note in sheet.notes:
        console.print(shown(note, "dim"))
    console.print()


def _table(sheet: Sheet, width: int) -> RichTable:
    table = RichTable(
        title=shown(sheet.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1)
    )
    kept = [i for i, column in enumerate(sheet.columns) if column != "plugin" or width >= _ROOM_FOR_PLUGINS]
    for i in kept:
        justify: JustifyMethod = "left" if sheet.is_text(i) else "right"
        widest = max((len(row[i].text) for row in sheet.rows), default=0)
        fits = widest <= width * _WIDEST  # a long title must not take the room of all that is said about it
        table.add_column(
            shown(sheet.columns[i]),
            justify=justify,
            overflow="fold",
            no_wrap=i == 0 and fits,
            max_width=None if fits else int(width * _WIDEST),
        )
    for row in sheet.rows:
        table.add_row(*(_text(row[i], sheet.on_terminal == "full") for i in kept))
    return table


def _text(entry: Entry, with_interval: bool) -> Text:
    text = shown(entry.text + _MARK[entry.mark], _STYLE[entry.mark])
    return text.append("\n").append(shown(entry.interval, "not bold dim")) if entry.interval and with_interval else text

"""Sheets as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from cfbench.files.printable import printable_line
from cfbench.records.lines import Definition, Line
from cfbench.reporting.against_best import against_best
from cfbench.reporting.curves import curve_tables
from cfbench.reporting.family_tables import family_tables
from cfbench.reporting.notes import condition_sentences, definition_sentence
from cfbench.reporting.overview_table import overview
from cfbench.reporting.pictures import Picture
from cfbench.reporting.remarks import remark_tables
from cfbench.reporting.result_groups import ResultGroup, result_groups
from cfbench.reporting.standings import standing_table, standings
from cfbench.reporting.table import Table, TableCell

_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")


def markdown_report(title: str, lines: Iterable[Line], drawn: Sequence[Picture] = ()) -> str:
    """Render all tables of a run as one Markdown document that shows the pictures beside it."""
    lines = list(lines)
    parts = [f"# {escaped(title)}", *(_division(division) for division in result_groups(lines)), *_standings(lines)]
    parts += [*_pictures(drawn), *_definitions(lines)]
    return "\n\n".join(parts) + "\n"


def _pictures(drawn: Sequence[Picture]) -> list[str]:
    shown = [f"![{escaped(picture.caption)}]({picture.file})" for picture in drawn]
    return ["## Pictures", *shown] if shown else []


def _definitions(lines: Iterable[Line]) -> list[str]:
    """Render the definition of every metric as a list under a heading of its own; nothing where there is none."""
    stated = [line for line in lines if isinstance(line, Definition)]
    items = [f"- **{escaped(one.metric)}**: {escaped(definition_sentence(one))}" for one in stated]
    return ["## Definitions", "\n".join(items)] if items else []


def markdown_table(sheet: Table) -> str:
    """Render one sheet as a pipe table."""
    rows = [[_entry(entry) for entry in row] for row in sheet.rows]
    headings = [escaped(column) for column in sheet.columns]
    alignment = ["left" if sheet.is_text(i) else "right" for i in range(len(headings))]
    return tabulate(rows, headers=headings, tablefmt="pipe", disable_numparse=True, colalign=alignment)


def escaped(text: str) -> str:
    """Make text from plugins and data harmless in Markdown and in the HTML that it becomes."""
    line = printable_line(" ".join(text.split()))
    return html.escape(_SPECIAL.sub(r"\\\1", line), quote=False)


def _division(division: ResultGroup) -> str:
    parts = [f"## {escaped(division.dataset)}, {escaped(division.split)}"]
    parts += [escaped(sentence) for sentence in condition_sentences(division.settings)]
    return "\n\n".join([*parts, *(section(sheet) for sheet in tables_of(division))])


def section(sheet: Table) -> str:
    """Render one sheet under its title, with its notes below."""
    notes = [escaped(note) for note in sheet.notes if note]
    return "\n\n".join([f"### {escaped(sheet.title)}", markdown_table(sheet), *notes])


def _standings(lines: Iterable[Line]) -> list[str]:
    """Render ranks over data sets under a heading of their own; nothing where there are too few data sets."""
    sections = [section(standing_table(one)) for one in standings(lines)]
    return ["## Over data sets", *sections] if sections else []


def _entry(entry: TableCell) -> str:
    text = escaped(entry.text)
    marked = {"best": f"**{text}**", "tie": f"{text} ≈", "": text}[entry.mark]
    return f"{marked} {escaped(entry.interval)}".rstrip()


def tables_of(division: ResultGroup) -> list[Table]:
    """Make all sheets that have something to say: curves where the split is one, families of metrics elsewhere."""
    if division.is_curve:
        made = [*curve_tables(division), *remark_tables(division)]
    else:
        made = [overview(division), *family_tables(division), against_best(division), *remark_tables(division)]
    return [sheet for sheet in made if len(sheet.columns) > 1 and sheet.rows]

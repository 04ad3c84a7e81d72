"""Tables as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from cfbench.files.printable import printable_line
from cfbench.records.record import Definition, Line
from cfbench.reporting.group_tables import standing_table, tables_of
from cfbench.reporting.notes import condition_sentences, definition_sentence
from cfbench.reporting.pictures import Picture
from cfbench.reporting.result_groups import result_groups, standings
from cfbench.reporting.table import Table

_MARKED = {"best": "**{}**", "tie": "{} ≈", "": "{}"}
_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")


def markdown_report(title: str, lines: Iterable[Line], pictures: Sequence[Picture] = ()) -> str:
    """Return all tables of a run as one Markdown document, with links to the pictures beside it."""
    lines = list(lines)
    parts = [f"# {escaped(title)}"]
    for group in result_groups(lines):
        parts.append(f"## {escaped(group.dataset)}, {escaped(group.split)}")
        parts += [escaped(sentence) for sentence in condition_sentences(group.conditions)]
        parts += [section(table) for table in tables_of(group)]
    definitions = [
        f"- **{escaped(one.metric)}**: {escaped(definition_sentence(one))}"
        for one in lines
        if isinstance(one, Definition)
    ]
    for heading, texts in (
        ("Over data sets", [section(standing_table(one)) for one in standings(lines)]),
        ("Pictures", [f"![{escaped(picture.caption)}]({picture.file})" for picture in pictures]),
        ("Definitions", ["\n".join(definitions)] if definitions else []),
    ):
        parts += [f"## {heading}", *texts] if texts else []
    return "\n\n".join(parts) + "\n"


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

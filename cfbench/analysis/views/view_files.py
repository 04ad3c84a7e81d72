"""Files of views: a page, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from cfbench.analysis.views.view import View
from cfbench.files.atomic import clear_leftovers, replacing, write_text
from cfbench.reporting.plots import can_draw, png, style, svg
from cfbench.reporting.table import escaped, section

Format: TypeAlias = Literal["svg", "png"]


def write_views(
    folder: Path, heading: str, facts: Sequence[str], views: Mapping[str, View], formats: Sequence[Format]
) -> list[Path]:
    """Write ``inspect.md``, a CSV file for each table and the plots into ``folder``, which is made.

    Args:
        folder: gets the files; those of the same names are replaced.
        heading: of the page.
        facts: sentences below it.
        views: what is shown, in order.
        formats: what plots are written as; the page shows the first. Without matplotlib there are none.

    Returns the files' paths. Raises StoreError where the folder cannot be written.
    """
    formats = formats if can_draw() else ()
    texts = {f"{table.stem}.csv": table.csv() for view in views.values() for table in (*view.tables, *view.files)}
    texts["inspect.md"] = _page(heading, facts, views, formats)
    clear_leftovers(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
    paths = [folder / name for name in texts]
    for plot in (plot for view in views.values() for plot in view.plots if formats):
        with style():
            figure = plot.draw()
            for form in formats:
                paths.append(folder / f"{plot.stem}.{form}")
                with replacing(paths[-1]) as file:
                    file.write(svg(figure).encode() if form == "svg" else png(figure))
    return paths


def _page(heading: str, facts: Sequence[str], views: Mapping[str, View], formats: Sequence[Format]) -> str:
    parts = [f"# {escaped(heading)}", *map(escaped, facts)]
    for view in views.values():
        parts += [f"## {escaped(view.title)}", *([escaped(view.remark)] if view.remark else [])]
        parts += [section(table.table()) for table in view.tables]
        for plot in view.plots if formats else ():
            parts.append(f"![{escaped(plot.caption)}]({plot.stem}.{formats[0]})\n\n{escaped(plot.caption)}.")
    return "\n\n".join(parts) + "\n"

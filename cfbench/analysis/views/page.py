"""Views as files: a page, tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from cfbench.analysis.views.view import Plot, View
from cfbench.files.atomic import clear_leftovers, replacing, write_text
from cfbench.reporting.markdown import escaped, section
from cfbench.reporting.plots.canvas import can_draw, png, style, svg

Format: TypeAlias = Literal["svg", "png"]


def write_views(
    folder: Path, heading: str, facts: Sequence[str], views: Mapping[str, View], formats: Sequence[Format]
) -> list[Path]:
    """Write ``inspect.md``, a CSV file for each table and the pictures into ``folder``, which is made.

    Args:
        folder: gets the files; those of the same names are replaced.
        heading: of the page.
        facts: sentences below it.
        views: what is shown, in order.
        formats: what pictures are written as; the page shows the first. Without matplotlib there are none.

    Returns the files' paths. Raises StoreError where the folder cannot be written.
    """
    drawn = formats if can_draw() else ()
    tables = [listing for view in views.values() for listing in (*view.listings, *view.files)]
    texts = {f"{listing.stem}.csv": listing.csv() for listing in tables}
    texts["inspect.md"] = _page(heading, facts, views, drawn)
    clear_leftovers(folder)
    for name, text in texts.items():
        write_text(folder / name, text)
    pictures = [path for view in views.values() for one in view.plots for path in _write(folder, one, drawn)]
    return [*(folder / name for name in texts), *pictures]


def _write(folder: Path, plot: Plot, formats: Sequence[Format]) -> list[Path]:
    if not formats:
        return []
    with style():
        canvas = plot.draw()
        data = {"svg": lambda: svg(canvas).encode(), "png": lambda: png(canvas)}
        paths = [folder / f"{plot.stem}.{form}" for form in formats]
        for path, form in zip(paths, formats, strict=True):
            with replacing(path) as file:
                file.write(data[form]())
    return paths


def _page(heading: str, facts: Sequence[str], views: Mapping[str, View], formats: Sequence[Format]) -> str:
    parts = [f"# {escaped(heading)}", *map(escaped, facts)]
    for view in views.values():
        parts += [f"## {escaped(view.title)}", *([escaped(view.remark)] if view.remark else [])]
        parts += [section(listing.sheet()) for listing in view.listings]
        parts += [
            f"![{escaped(one.caption)}]({one.stem}.{formats[0]})\n\n{escaped(one.caption)}."
            for one in view.plots
            if formats
        ]
    return "\n\n".join(parts) + "\n"

"""Views of a fitted model: what they are made from, what they show, and their files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.embedding_statistics import MapMethod, Similarity
from cfbench.analysis.finished_cell import FittedModel
from cfbench.errors import UsageError
from cfbench.files.atomic import clear_leftovers, replacing, write_text
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import embeddings_of
from cfbench.model.arrays import Floats
from cfbench.model.protocols import Embeddings, HasEmbeddings
from cfbench.records.record import Epoch
from cfbench.reporting.csv_files import csv_text
from cfbench.reporting.plots import can_draw, png, style, svg
from cfbench.reporting.table import Column, Table, TableCell, escaped, section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")
Values: TypeAlias = Sequence[object] | NDArray[Any]
Format: TypeAlias = Literal["svg", "png"]


class NothingToShow(Exception):
    """The model lacks what a view needs; the text completes a sentence that begins with the model's name."""


def required(value: T | None, lacking: str) -> T:
    """Return ``value``; raise NothingToShow where it is None."""
    if value is None:
        raise NothingToShow(lacking)
    return value


@dataclass(frozen=True, eq=False)
class InspectedModel:
    """A fitted model with what views look at.

    Attributes:
        name: the model, for headings.
        catalogue: the training items.
        embeddings: the model's embeddings, or None where it shows none.
        losses: its learning curve, empty where it reported none.
        mean_scores: mean score of each item over the run's test users, shape (n_items,), NaN where there is none; None
            for a model that could not rank.
    """

    name: str
    catalogue: Catalogue
    embeddings: Embeddings | None
    losses: tuple[Epoch, ...]
    mean_scores: Floats | None

    @classmethod
    def of(cls, fitted: FittedModel) -> InspectedModel:
        """Ask a fitted model for its embeddings; raises ModelError where they break the contract."""
        model, cell, train = fitted.model, fitted.cell, fitted.cell.split.train
        return cls(
            name=cell.cell.model,
            catalogue=Catalogue.of(cell.split),
            embeddings=embeddings_of(model, train.n_users, train.n_items) if isinstance(model, HasEmbeddings) else None,
            losses=cell.record.losses,
            mean_scores=mean_item_scores(cell.output),
        )

    @property
    def item_vectors(self) -> Floats | None:
        """Item factors, shape (n_items, f), f at least 1, or None where the model shows none."""
        return self.embeddings.items if self.embeddings is not None and self.embeddings.items.shape[1] else None

    @property
    def item_biases(self) -> Floats | None:
        """Item biases, shape (n_items,), or None where the model shows none."""
        return None if self.embeddings is None else self.embeddings.item_biases


def mean_item_scores(output: ModelOutput) -> Floats | None:
    """Return each item's mean score over the test users, shape (n_items,); NaN where no group has a score of it."""
    if output.score_means is None or output.lists is None:
        return None
    means = output.score_means.astype(np.float64)  # (g, n_items)
    sizes = np.bincount(np.arange(len(output.lists)) % len(means), minlength=len(means))  # as users were dealt out
    weights = np.where(np.isnan(means), 0, sizes[:, None])
    totals = weights.sum(axis=0)
    sums = (np.nan_to_num(means) * weights).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(sums, totals, out=np.full(len(totals), np.nan), where=totals > 0)
    return mean


@dataclass(frozen=True)
class ViewOptions:
    """Options of views.

    Attributes:
        n: length of lists, at least 1.
        near: titles whose nearest items are shown; the most rated item where empty.
        by: the similarity of neighbours.
        top: how many of the most rated items plots name, at least 1.
        min_ratings: items with fewer training ratings are left out; None for each view's own.
        map: how item factors are laid out in the plane, None for not at all.
    """

    n: int = 5
    near: tuple[str, ...] = ()
    by: Similarity = "cosine"
    top: int = 40
    min_ratings: int | None = None
    map: MapMethod | None = None

    def __post_init__(self) -> None:
        for name in ("n", "top"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected a whole number of at least 1")

    @property
    def min_ratings_of_factors(self) -> int:
        """As ``min_ratings``, of views where a few ratings would decide: factors of rarely rated items are chance."""
        return 20 if self.min_ratings is None else self.min_ratings


@dataclass(frozen=True, eq=False)
class Plot:
    """A plot that is yet to be drawn.

    Attributes:
        stem: name of its file, without ending.
        caption: what it shows.
        draw: draws it; called within :func:`cfbench.reporting.plots.style`.
    """

    stem: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True, eq=False)
class ViewTable:
    """A table of named columns: rounded for readers, exact in files.

    Attributes:
        stem: name of its file, without ending.
        title: its heading.
        columns: columns by name, equally long: text, whole numbers, floats, NaN where there is no value, or
            figures that are formatted already, as cells.
        notes: what a reader must know.
    """

    stem: str
    title: str
    columns: Mapping[str, Values]
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """Return the table for readers: floats with three decimals."""

        def cell(value: object) -> TableCell:
            if isinstance(value, float | np.floating):
                return TableCell(f"{value:.3f}" if math.isfinite(value) else "-")
            if isinstance(value, int | np.integer):
                return TableCell(f"{value:,d}")
            return value if isinstance(value, TableCell) else TableCell(str(value))

        columns = tuple(
            Column(name, "text" if number == 0 or any(isinstance(one, str) for one in values) else "figure")
            for number, (name, values) in enumerate(self.columns.items())
        )
        rows = tuple(tuple(map(cell, row)) for row in zip(*self.columns.values(), strict=True))
        return Table(self.title, columns, rows, self.notes)

    def csv(self) -> str:
        """Return the table as CSV: nothing rounded, empty fields for NaN, no text that a spreadsheet obeys."""

        def field(value: object) -> object:
            if isinstance(value, float | np.floating):
                return repr(float(value)) if math.isfinite(value) else ""
            return value

        rows = zip(*self.columns.values(), strict=True)
        return csv_text((dict(zip(self.columns, map(field, row), strict=True)) for row in rows), self.columns)


@dataclass(frozen=True, eq=False)
class View:
    """Tables and plots that answer one question about a fitted model.

    Attributes:
        tables: its tables.
        plots: its plots.
        remark: why there is nothing, or what a reader must know of all of it.
        files: tables too long to be read, written as files alone.
        title: its heading.
    """

    tables: tuple[ViewTable, ...] = ()
    plots: tuple[Plot, ...] = ()
    remark: str = ""
    files: tuple[ViewTable, ...] = ()
    title: str = ""


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

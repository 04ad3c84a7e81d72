"""One question about a fitted model, answered by tables and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.maps import Map
from cfbench.analysis.neighbours import Likeness
from cfbench.analysis.views.item_tables import Listing
from cfbench.errors import UsageError
from cfbench.model.protocols import Embeddings
from cfbench.model.ratings import Floats
from cfbench.records.record import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

FEW_RATINGS = 20
"""Items with fewer training ratings are left out where a few ratings would decide, unless the user says otherwise."""


@dataclass(frozen=True, eq=False)
class InspectedModel:
    """What is looked at.

    Attributes:
        name: the model, for headings.
        catalogue: the training items.
        embeddings: what the model shows of itself, or None where it shows nothing.
        losses: its learning curve, empty where it reported none.
        mean_scores: mean score of each item over the run's test users, shape (n_items,), NaN where there is none; None
            for a model that could not rank.
    """

    name: str
    catalogue: Catalogue
    embeddings: Embeddings | None
    losses: tuple[Epoch, ...]
    mean_scores: Floats | None

    @property
    def item_vectors(self) -> Floats | None:
        """Item factors, shape (n_items, f), f at least 1, or None where the model shows none."""
        return self.embeddings.items if self.embeddings is not None and self.embeddings.items.shape[1] else None


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    Attributes:
        n: length of lists, at least 1.
        near: titles whose neighbours are asked for; the most rated item where empty.
        by: the likeness of neighbours.
        top: how many of the most rated items pictures name, at least 1.
        min_ratings: items with fewer training ratings are left out; None for each view's own.
        map: how item factors are laid out in the plane, None for not at all.
    """

    n: int = 5
    near: tuple[str, ...] = ()
    by: Likeness = "cosine"
    top: int = 40
    min_ratings: int | None = None
    map: Map | None = None

    def __post_init__(self) -> None:
        for name in ("n", "top"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected a whole number of at least 1")


@dataclass(frozen=True, eq=False)
class Plot:
    """A picture that is yet to be drawn.

    Attributes:
        stem: name of its file, without ending.
        caption: what it shows.
        draw: draws it; called within :func:`cfbench.reporting.plots.canvas.style`.
    """

    stem: str
    caption: str
    draw: Callable[[], Canvas]


@dataclass(frozen=True, eq=False)
class View:
    """What there is to see.

    Attributes:
        title: its heading.
        listings: its tables.
        plots: its pictures.
        remark: why there is nothing, or what a reader must know of all of it.
        files: tables too long to be read, written as files alone.
    """

    title: str
    listings: tuple[Listing, ...] = ()
    plots: tuple[Plot, ...] = ()
    remark: str = ""
    files: tuple[Listing, ...] = ()


def without(title: str, subject: InspectedModel, lacking: str) -> View:
    """Return the view that says that the model has nothing to show here."""
    return View(title, remark=f"{subject.name} {lacking}.")

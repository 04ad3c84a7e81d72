"""Items nearest to an item, by their factors."""

from __future__ import annotations

from collections.abc import Iterable

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.item_titles import Titles
from cfbench.analysis.neighbours import nearest as nearest_items
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import FEW_RATINGS, InspectedModel, Options, View, without
from cfbench.model.ratings import Floats

_TITLE = "Nearest items"


def require_titles(known: Catalogue, near: Iterable[str]) -> None:
    """Raise UsageError where a title is not found, or fits several items."""
    titles = Titles(known.titles, known.ids)
    for text in near:
        titles.find(text)


def nearest(subject: InspectedModel, options: Options) -> View:
    """List the neighbours of each title that was asked for; raises UsageError for a title that is not found."""
    vectors = subject.item_vectors
    if vectors is None:
        return without(_TITLE, subject, "shows no item factors")
    known = subject.catalogue
    titles = Titles(known.titles, known.ids)
    codes = [titles.find(text) for text in options.near] or [int(known.by_count[0])]
    return View(
        _TITLE,
        tuple(
            _listing(number, code, subject, vectors, options)
            for number, code in enumerate(dict.fromkeys(codes), start=1)
        ),
    )


def _listing(number: int, code: int, subject: InspectedModel, vectors: Floats, options: Options) -> Listing:
    known = subject.catalogue
    fewest = FEW_RATINGS if options.min_ratings is None else options.min_ratings
    places, values = nearest_items(vectors, code, options.n, options.by, known.counts >= fewest)
    columns: dict[str, Column] = {
        "title": known.titles[places],
        options.by: values,
        "ratings": known.counts[places],
        "mean rating": known.means[places],
    }
    notes = [f"By {options.by} of item factors, among items with {fewest} or more training ratings."]
    if not vectors[code].any():
        notes.append("Its own factors are all 0: the model has learned nothing of it.")
    return Listing(f"nearest-{number}", f"Nearest to {known.titles[code]}", columns, tuple(notes))

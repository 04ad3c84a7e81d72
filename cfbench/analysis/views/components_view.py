"""Principal components of item factors: what tells items apart the most."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.components import Components, principal_components
from cfbench.analysis.extremes import extremes
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import FEW_RATINGS, InspectedModel, Options, Plot, View, without
from cfbench.reporting.plots.charts import title_map

_TITLE = "Principal components of item factors"
_TOLD_ENDS = 3  # components whose two ends are listed
_TOLD_SHARES = 10


def components(subject: InspectedModel, options: Options) -> View:
    """Tell the variance along each component, the titles at both ends, and draw the most rated items on the first two.

    Components are those of the items with enough ratings: of the others factors are mostly chance.
    """
    vectors = subject.item_vectors
    if vectors is None:
        return without(_TITLE, subject, "shows no item factors")
    known = subject.catalogue
    fewest = FEW_RATINGS if options.min_ratings is None else options.min_ratings
    among = np.flatnonzero(known.counts >= fewest)
    if len(among) < 2:
        return without(_TITLE, subject, f"knows fewer than two items with {fewest} or more training ratings")
    found = principal_components(vectors[among])
    titles = known.titles[among]
    ends = tuple(
        _ends(found, number, titles, known.counts[among], options.n)
        for number in range(min(_TOLD_ENDS, len(found.explained)))
    )
    said = f"Of the {len(among):,} items with {fewest} or more training ratings. Signs are arbitrary."
    return View(_TITLE, (_shares(found), *ends), _plots(found, subject, among, options.top), said)


def _shares(found: Components) -> Listing:
    shown = found.explained[:_TOLD_SHARES]
    columns: dict[str, Column] = {
        "component": [f"PC{number}" for number in range(1, len(shown) + 1)],
        "variance explained": shown,
        "together": shown.cumsum(),
    }
    return Listing("components", f"Variance explained, {len(found.explained)} factors", columns)


def _ends(found: Components, number: int, titles: NDArray[np.str_], counts: NDArray[np.int64], n: int) -> Listing:
    values = found.coordinates[:, number]
    lowest, highest = extremes(values, n, np.ones(len(values), dtype=np.bool_))
    places = np.concatenate([lowest, highest])
    columns: dict[str, Column] = {
        "title": titles[places],
        "end": ["low"] * len(lowest) + ["high"] * len(highest),
        f"PC{number + 1}": values[places],
        "ratings": counts[places],
    }
    return Listing(f"component-{number + 1}", f"Ends of PC{number + 1}", columns)


def _plots(found: Components, subject: InspectedModel, among: NDArray[np.int64], top: int) -> tuple[Plot, ...]:
    if len(found.explained) < 2:
        return ()
    place_of = np.full(len(subject.catalogue), -1)
    place_of[among] = np.arange(len(among))
    places = place_of[subject.catalogue.by_count]
    ordered = places[places >= 0]
    shown = ordered[:top]
    caption = f"The {len(shown)} most rated items on the first two principal components"
    first = found.coordinates[:, :2]
    names = (f"PC1 ({found.explained[0]:.1%} of the variance)", f"PC2 ({found.explained[1]:.1%})")
    draw = partial(
        title_map,
        first[shown],
        subject.catalogue.titles[among][shown],
        heading=caption,
        axis_names=names,
        others=first[ordered],
    )
    return (Plot("components", caption, draw),)

"""Item factors laid out in the plane by t-SNE or UMAP."""

from __future__ import annotations

from functools import partial

from cfbench.analysis.maps import mapped
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import FEW_RATINGS, InspectedModel, Options, Plot, View, without
from cfbench.reporting.plots.charts import title_map

_TITLE = "Map of items"
_MOST = 2_000  # items that are laid out: what a picture can show, and seconds to compute
_NAMES = {"tsne": "t-SNE", "umap": "UMAP"}


def layout(subject: InspectedModel, options: Options) -> View:
    """Lay out the most rated items and name the first of them; nothing where no map was asked for."""
    if options.map is None:
        return View(_TITLE, remark="Not asked for; --map tsne or --map umap lays the items out.")
    vectors = subject.item_vectors
    if vectors is None:
        return without(_TITLE, subject, "shows no item factors")
    known = subject.catalogue
    fewest = FEW_RATINGS if options.min_ratings is None else options.min_ratings
    codes = known.by_count[known.counts[known.by_count] >= fewest][:_MOST]
    places = mapped(vectors[codes], options.map)
    columns: dict[str, Column] = {
        "title": known.titles[codes],
        "x": places[:, 0],
        "y": places[:, 1],
        "ratings": known.counts[codes],
    }
    named = options.top
    caption = f"The {min(named, len(codes))} most rated of {len(codes):,} items, laid out by {_NAMES[options.map]}"
    draw = partial(title_map, places[:named], known.titles[codes[:named]], heading=caption, others=places)
    said = "Neighbours in the plane are neighbours by their factors; directions and distances far apart mean nothing."
    return View(_TITLE, (), (Plot("map", caption, draw),), said, files=(Listing("map", caption, columns),))

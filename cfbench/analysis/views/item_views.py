"""Views of items: biases, neighbours, best-rated items, principal components, maps, factors."""

from __future__ import annotations

from functools import partial

import numpy as np

from cfbench.analysis.embedding_statistics import extremes, nearest_items, principal_components
from cfbench.analysis.maps import map_items
from cfbench.analysis.views.view import InspectedModel, NothingToShow, Plot, View, ViewOptions, ViewTable, required
from cfbench.reporting.plots.charts import heatmap, title_map

_NO_FACTORS = "shows no item factors"
_N_BEST = 30
_N_COMPONENTS = 3  # whose two ends are listed
_N_SHARES = 10  # components whose share of the variance is listed
_MAX_MAPPED = 2_000  # what a plot can show, and seconds to compute
_MAP_NAMES = {"tsne": "t-SNE", "umap": "UMAP"}
_N_HEATMAP = 20


def biases(model: InspectedModel, options: ViewOptions) -> View:
    """Return the items of lowest and of highest bias: rated lower or higher than taste explains."""
    values = required(model.item_biases, "shows no item biases")
    items, min_ratings = model.catalogue, options.min_ratings or 1
    note = (
        f"Among items with {min_ratings} or more training ratings." if min_ratings > 1 else "Among all training items."
    )
    lowest, highest = extremes(values, options.n, items.counts >= min_ratings)
    return View(
        (
            ViewTable("biases-lowest", "Lowest bias", items.columns(lowest, {"bias": values[lowest]}), (note,)),
            ViewTable("biases-highest", "Highest bias", items.columns(highest, {"bias": values[highest]}), (note,)),
        )
    )


def nearest(model: InspectedModel, options: ViewOptions) -> View:
    """Return the nearest items of each title in the options; raises UsageError for a title that is not found."""
    vectors = required(model.item_vectors, _NO_FACTORS)
    items, min_ratings = model.catalogue, options.min_ratings_of_factors
    codes = [items.title_index.find(text) for text in options.near] or [int(items.by_count[0])]
    tables = []
    for number, code in enumerate(dict.fromkeys(codes), start=1):
        places, values = nearest_items(vectors, code, options.n, options.by, items.counts >= min_ratings)
        notes = [f"By {options.by} of item factors, among items with {min_ratings} or more training ratings."]
        if not vectors[code].any():
            notes.append("Its own factors are all 0: the model has learned nothing of it.")
        columns = items.columns(places, {options.by: values})
        tables.append(ViewTable(f"nearest-{number}", f"Nearest to {items.titles[code]}", columns, tuple(notes)))
    return View(tuple(tables))


def best(model: InspectedModel, _options: ViewOptions) -> View:
    """Return the 30 items of the highest Bayesian average, and a plot on their own first two principal components."""
    items, vectors = model.catalogue, model.item_vectors
    averages = items.bayesian_averages()
    codes = np.lexsort((items.titles, -averages))[:_N_BEST]
    note = (
        "Bayesian average: (C m + sum of ratings) / (C + number of ratings), of training ratings, with "
        f"m = {items.mean:.3f}, their mean, and C = {items.counts.mean():.1f}, the mean number of ratings per item."
    )
    columns = items.columns(codes, {"Bayesian average": averages[codes]})
    tables = (ViewTable("best", f"The {len(codes)} best-rated items", columns, (note,)),)
    if vectors is None or vectors.shape[1] < 2 or len(codes) < 2:
        return View(tables)
    found = principal_components(vectors[codes])
    caption = f"The {len(codes)} best-rated items on the first two principal components of their own factors"
    names = (f"PC1 ({found.explained[0]:.1%} of their variance)", f"PC2 ({found.explained[1]:.1%})")
    draw = partial(title_map, found.coordinates[:, :2], items.titles[codes], heading=caption, axis_names=names)
    return View(tables, (Plot("best", caption, draw),))


def components(model: InspectedModel, options: ViewOptions) -> View:
    """Return the variance along each component, the titles at both ends, and a plot of the most rated items.

    Components are those of the items with enough ratings: of the others factors are mostly chance.
    """
    vectors = required(model.item_vectors, _NO_FACTORS)
    items, min_ratings = model.catalogue, options.min_ratings_of_factors
    codes = np.flatnonzero(items.counts >= min_ratings)
    if len(codes) < 2:
        raise NothingToShow(f"knows fewer than two items with {min_ratings} or more training ratings")
    found = principal_components(vectors[codes])
    explained = found.explained[:_N_SHARES]
    names = np.array([f"PC{number}" for number in range(1, len(explained) + 1)])
    shares = {"component": names, "variance explained": explained, "together": explained.cumsum()}
    tables = [ViewTable("components", f"Variance explained, {len(found.explained)} factors", shares)]
    for number, values in enumerate(found.coordinates.T[:_N_COMPONENTS], start=1):
        lowest, highest = extremes(values, options.n, np.ones(len(values), dtype=np.bool_))
        places = np.concatenate([lowest, highest])
        ends = {
            "title": items.titles[codes[places]],
            "end": np.array(["low"] * len(lowest) + ["high"] * len(highest)),
            f"PC{number}": values[places],
            "ratings": items.counts[codes[places]],
        }
        tables.append(ViewTable(f"component-{number}", f"Ends of PC{number}", ends))
    plots: tuple[Plot, ...] = ()
    if len(explained) > 1:
        ordered = items.by_count[items.counts[items.by_count] >= min_ratings]  # the same items as codes, by count
        plane = found.coordinates[np.searchsorted(codes, ordered), :2]
        titles = items.titles[ordered[: options.top]]
        caption = f"The {len(titles)} most rated items on the first two principal components"
        axes = (f"PC1 ({explained[0]:.1%} of the variance)", f"PC2 ({explained[1]:.1%})")
        draw = partial(title_map, plane[: options.top], titles, heading=caption, axis_names=axes, others=plane)
        plots = (Plot("components", caption, draw),)
    remark = f"Of the {len(codes):,} items with {min_ratings} or more training ratings. Signs are arbitrary."
    return View(tuple(tables), plots, remark)


def item_map(model: InspectedModel, options: ViewOptions) -> View:
    """Return a map of the most rated items, the first of them named; nothing where no map is wanted."""
    if options.map is None:
        return View(remark="Not asked for; --map tsne or --map umap lays the items out.")
    vectors = required(model.item_vectors, _NO_FACTORS)
    items, top = model.catalogue, options.top
    codes = items.by_count[items.counts[items.by_count] >= options.min_ratings_of_factors][:_MAX_MAPPED]
    places, titles = map_items(vectors[codes], options.map), items.titles[codes]
    columns = {"title": titles, "x": places[:, 0], "y": places[:, 1], "ratings": items.counts[codes]}
    caption = f"The {min(top, len(codes))} most rated of {len(codes):,} items, laid out by {_MAP_NAMES[options.map]}"
    draw = partial(title_map, places[:top], titles[:top], heading=caption, others=places)
    remark = "Neighbours in the plane are neighbours by their factors; directions and distances far apart mean nothing."
    return View((), (Plot("map", caption, draw),), remark, files=(ViewTable("map", caption, columns),))


def factors(model: InspectedModel, _options: ViewOptions) -> View:
    """Return the factors of the 20 most rated items, as a heatmap."""
    vectors = required(model.item_vectors, _NO_FACTORS)
    codes = model.catalogue.by_count[:_N_HEATMAP]
    values, titles = vectors[codes], model.catalogue.titles[codes]
    columns = {"title": titles, **{f"factor {number}": column for number, column in enumerate(values.T, start=1)}}
    caption = f"Factors of the {len(codes)} most rated items"
    plot = Plot("factors", caption, partial(heatmap, values, titles, caption))
    return View(plots=(plot,), files=(ViewTable("factors", caption, columns),))

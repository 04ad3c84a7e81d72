"""Gallery of views: what a fitted model has learned of items and users, by name; all but those that need a refit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis import embedding_statistics as statistics
from cfbench.analysis.embedding_statistics import map_items
from cfbench.analysis.view import InspectedModel, NothingToShow, Plot, Values, View, ViewOptions, ViewTable, required
from cfbench.errors import UnknownNameError
from cfbench.evaluation.statistics.significance import mean_ranks
from cfbench.reporting.plots import against_popularity, heatmap, histograms, loss_curves, title_map

_NO_FACTORS = "shows no item factors"
_N_BEST = 30
_N_COMPONENTS = 3  # whose two ends are listed
_N_SHARES = 10  # components whose share of the variance is listed
_MAX_MAPPED = 2_000  # what a plot can show, and seconds to compute
_MAP_NAMES = {"tsne": "t-SNE", "umap": "UMAP"}
_N_HEATMAP = 20
_N_NAMED = 6  # items named at each end of a scatter plot
_QUANTILE_NAMES = {0.0: "least", 0.5: "median", 1.0: "most"}


def biases(model: InspectedModel, options: ViewOptions) -> View:
    """Return the items of lowest and of highest bias: rated lower or higher than taste explains."""
    values = required(model.item_biases, "shows no item biases")
    items, min_ratings = model.catalogue, options.min_ratings or 1
    among = f"items with {min_ratings} or more training ratings" if min_ratings > 1 else "all training items"
    ends = zip(("Lowest", "Highest"), statistics.extremes(values, options.n, items.counts >= min_ratings), strict=True)
    tables = []
    for end, codes in ends:
        columns = items.columns(codes, {"bias": values[codes]})
        tables.append(ViewTable(f"biases-{end.lower()}", f"{end} bias", columns, (f"Among {among}.",)))
    return View(tuple(tables))


def nearest(model: InspectedModel, options: ViewOptions) -> View:
    """Return the nearest items of each title in the options; raises UsageError for a title that is not found."""
    vectors = required(model.item_vectors, _NO_FACTORS)
    items, min_ratings = model.catalogue, options.min_ratings_of_factors
    codes = [items.title_index.find(text) for text in options.near] or [int(items.by_count[0])]
    tables = []
    for number, code in enumerate(dict.fromkeys(codes), start=1):
        places, values = statistics.nearest_items(vectors, code, options.n, options.by, items.counts >= min_ratings)
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
    found = statistics.principal_components(vectors[codes])
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
    found = statistics.principal_components(vectors[codes])
    explained = found.explained[:_N_SHARES]
    names = [f"PC{number}" for number in range(1, len(explained) + 1)]
    shares: dict[str, Values] = {"component": names, "variance explained": explained, "together": explained.cumsum()}
    tables = [ViewTable("components", f"Variance explained, {len(found.explained)} factors", shares)]
    for number, values in enumerate(found.coordinates.T[:_N_COMPONENTS], start=1):
        lowest, highest = statistics.extremes(values, options.n, np.ones(len(values), dtype=np.bool_))
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
        return View(remark="No map wanted; --map tsne or --map umap lays the items out.")
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


def popularity(model: InspectedModel, _options: ViewOptions) -> View:
    """Return the rank correlation of item biases, else of mean scores, with popularity, and a plot."""
    name, values = "bias", model.item_biases
    if values is None:
        name, values = "mean score over the test users", model.mean_scores
    values = required(values, "shows no item biases and scores no items")
    items = model.catalogue
    scored = np.isfinite(values)
    correlations: dict[str, Values] = {
        "what": [f"{name} against training ratings", "mean rating against training ratings"],
        "Spearman": [_spearman(items.counts[scored], values[scored]), _spearman(items.counts, items.means)],
        "items": [int(scored.sum()), len(items)],
    }
    low, high = statistics.extremes(values, _N_NAMED, scored)
    named = np.concatenate([items.by_count[scored[items.by_count]][:_N_NAMED], high, low])
    named = named[np.sort(np.unique(named, return_index=True)[1])]
    caption = f"{name.capitalize()} against popularity, {int(scored.sum()):,} items"
    draw = partial(against_popularity, items.counts, values, named, items.titles[named], name, caption)
    note = "Spearman: correlation of ranks, in [-1, 1]; the second row is what the data say without any model."
    columns = {"title": items.titles, "ratings": items.counts, name: values, "mean rating": items.means}
    return View(
        (ViewTable("popularity", "Correlation with popularity", correlations, (note,)),),
        (Plot("popularity", caption, draw),),
        files=(ViewTable("popularity-items", caption, columns),),
    )


def _spearman(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Return the rank correlation, NaN where one of the two is constant."""
    x, y = (mean_ranks(column) - (len(column) + 1) / 2 for column in (x, y))
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size else math.nan


def learning(model: InspectedModel, _options: ViewOptions) -> View:
    """Return the losses of every epoch, as the model reported them while it was fitted in the run."""
    if not model.losses:
        raise NothingToShow("reported no losses while it was fitted")
    epochs = [one.epoch for one in model.losses]
    reported = np.array(
        [(one.train_loss, one.validation_loss) for one in model.losses], dtype=np.float64
    )  # None is NaN
    columns = zip(("training loss", "validation loss"), reported.T, strict=True)
    losses = {name: values.tolist() for name, values in columns if not np.isnan(values).all()}
    if not losses:
        raise NothingToShow("reported epochs without losses")
    notes = () if "validation loss" in losses else ("The model carved no validation part out of its training rows.",)
    table = ViewTable("learning", "Losses by epoch", {"epoch": epochs, **losses}, notes)
    draw = partial(loss_curves, epochs, losses, "Losses by epoch")
    return View((table,), (Plot("learning", "Learning curves", draw),))


def spread(model: InspectedModel, _options: ViewOptions) -> View:
    """Return quantiles and histograms of lengths, entries and biases on both sides."""
    embeddings = required(model.embeddings, "shows no embeddings")
    parts = statistics.distributions(embeddings)
    table = np.array([statistics.quantiles(values) for values in parts.values()])  # (parts, quantiles)
    names = [_QUANTILE_NAMES.get(quantile, f"{quantile:.0%}") for quantile in statistics.QUANTILES]
    zeros = [int((values == 0).sum()) for values in parts.values()]
    columns = {"what": list(parts), **dict(zip(names, table.T, strict=True)), "zeros": zeros}
    (n_users, user_size), (n_items, item_size) = embeddings.users.shape, embeddings.items.shape
    remark = f"{n_users:,} users with {user_size} factors, {n_items:,} items with {item_size}."
    if user_size != item_size:
        remark += " The two sides differ in length: the model does not multiply them, so they cannot be compared."
    title = "Distribution of embeddings"
    draw = partial(histograms, {name: values for name, values in parts.items() if len(values)}, title)
    return View((ViewTable("spread", "Quantiles", columns),), (Plot("spread", title, draw),), remark)


VIEWS: Mapping[str, tuple[str, Callable[[InspectedModel, ViewOptions], View]]] = MappingProxyType(
    {
        "biases": ("Item biases", biases),
        "nearest": ("Nearest items", nearest),
        "best": ("Best-rated items", best),
        "components": ("Principal components of item factors", components),
        "map": ("Map of items", item_map),
        "factors": ("Factors of the most rated items", factors),
        "popularity": ("Popularity", popularity),
        "learning": ("Learning curves", learning),
        "spread": ("Distribution of embeddings", spread),
    }
)
"""Title and function of every view, in the order in which they are shown."""


def require_views(names: Iterable[str]) -> None:
    """Raise UnknownNameError for a name that is no view's."""
    for name in names:
        if name not in VIEWS:
            raise UnknownNameError.among("view", name, VIEWS)


def views(model: InspectedModel, options: ViewOptions, only: Iterable[str] = ()) -> dict[str, View]:
    """Return the views that ``only`` names, by name; without names all, the map only where one is wanted.

    Raises UnknownNameError for a name that is no view's.
    """
    chosen = set(only)
    require_views(chosen)
    shown = {}
    for name, (title, make) in VIEWS.items():
        if name in chosen or (not chosen and (name != "map" or options.map is not None)):
            try:
                view = make(model, options)
            except NothingToShow as lacking:
                view = View(remark=f"{model.name} {lacking}.")
            shown[name] = replace(view, title=title)
    return shown

"""Views of a model as a whole: popularity, learning curves, distribution of embeddings."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.embedding_statistics import QUANTILES, distributions, extremes, quantiles
from cfbench.analysis.views.view import InspectedModel, NothingToShow, Plot, View, ViewOptions, ViewTable, required
from cfbench.reporting.plots.charts import against_popularity, histograms, loss_curves

_N_NAMED = 6  # items named at each end of a scatter plot
_QUANTILE_NAMES = {0.0: "least", 0.5: "median", 1.0: "most"}


def popularity(model: InspectedModel, _options: ViewOptions) -> View:
    """Return the rank correlation of item biases, else of mean scores, with popularity, and a plot."""
    name, values = "bias", model.item_biases
    if values is None:
        name, values = "mean score over the test users", model.mean_scores
    values = required(values, "shows no item biases and scores no items")
    items = model.catalogue
    scored = np.isfinite(values)
    spearman = [_spearman(items.counts[scored], values[scored]), _spearman(items.counts, items.means)]
    correlations = {
        "what": np.array([f"{name} against training ratings", "mean rating against training ratings"]),
        "Spearman": np.array(spearman),
        "items": np.array([scored.sum(), len(items)]),
    }
    low, high = extremes(values, _N_NAMED, scored)
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
    from scipy.stats import rankdata  # noqa: PLC0415 - half a second to import

    x, y = (rankdata(column) - (len(column) + 1) / 2 for column in (x, y))
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size else math.nan


def learning(model: InspectedModel, _options: ViewOptions) -> View:
    """Return the losses of every epoch, as the model reported them while it was fitted in the run."""
    if not model.losses:
        raise NothingToShow("reported no losses while it was fitted")
    epochs = [one.epoch for one in model.losses]
    columns = {
        "training loss": np.array([one.train_loss for one in model.losses], dtype=np.float64),
        "validation loss": np.array([one.validation_loss for one in model.losses], dtype=np.float64),
    }
    losses = {name: values.tolist() for name, values in columns.items() if not np.isnan(values).all()}
    if not losses:
        raise NothingToShow("reported epochs without losses")
    notes = () if "validation loss" in losses else ("The model carved no validation part out of its training rows.",)
    table = ViewTable("learning", "Losses by epoch", {"epoch": epochs, **losses}, notes)
    draw = partial(loss_curves, epochs, losses, "Losses by epoch")
    return View((table,), (Plot("learning", "Learning curves", draw),))


def spread(model: InspectedModel, _options: ViewOptions) -> View:
    """Return quantiles and histograms of lengths, entries and biases on both sides."""
    embeddings = required(model.embeddings, "shows no embeddings")
    parts = distributions(embeddings)
    by_quantile = zip(QUANTILES, np.array([quantiles(values) for values in parts.values()]).T, strict=True)
    columns = {
        "what": np.array(list(parts)),
        **{_QUANTILE_NAMES.get(quantile, f"{quantile:.0%}"): values for quantile, values in by_quantile},
        "zeros": np.array([(values == 0).sum() for values in parts.values()]),
    }
    (n_users, user_size), (n_items, item_size) = embeddings.users.shape, embeddings.items.shape
    remark = f"{n_users:,} users with {user_size} factors, {n_items:,} items with {item_size}."
    if user_size != item_size:
        remark += " The two sides differ in length: the model does not multiply them, so they cannot be compared."
    title = "Distribution of embeddings"
    draw = partial(histograms, {name: values for name, values in parts.items() if len(values)}, title)
    return View((ViewTable("spread", "Quantiles", columns),), (Plot("spread", title, draw),), remark)

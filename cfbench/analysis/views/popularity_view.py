"""Whether the model likes what is popular: item bias, or mean score, against the number of ratings."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.extremes import extremes
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import InspectedModel, Options, Plot, View, without
from cfbench.model.ratings import Floats
from cfbench.reporting.plots.charts import against_popularity

_TITLE = "Popularity"
_NAMED = 6  # items named at each end


def popularity(subject: InspectedModel, options: Options) -> View:  # noqa: ARG001 - all views are called alike
    """Correlate bias, or where there is none the mean score, with popularity, by ranks, and draw both."""
    what, values = _judged(subject)
    if values is None:
        return without(_TITLE, subject, "shows no item biases and scores no items")
    known = subject.catalogue
    told = np.isfinite(values)
    columns: dict[str, Column] = {
        "what": [f"{what} against training ratings", "mean rating against training ratings"],
        "Spearman": [_spearman(known.counts[told], values[told]), _spearman(known.counts, known.means)],
        "items": [int(told.sum()), len(known)],
    }
    low, high = extremes(values, _NAMED, told)
    named = np.concatenate([known.by_count[told[known.by_count]][:_NAMED], high, low])
    named = named[np.sort(np.unique(named, return_index=True)[1])]
    caption = f"{what.capitalize()} against popularity, {int(told.sum()):,} items"
    draw = partial(against_popularity, known.counts, values, named, known.titles[named], what, caption)
    note = "Spearman: correlation of ranks, in [-1, 1]; the second row is what the data say without any model."
    every: dict[str, Column] = {
        "title": known.titles,
        "ratings": known.counts,
        what: values,
        "mean rating": known.means,
    }
    return View(
        _TITLE,
        (Listing("popularity", "Correlation with popularity", columns, (note,)),),
        (Plot("popularity", caption, draw),),
        files=(Listing("popularity-items", caption, every),),
    )


def _judged(subject: InspectedModel) -> tuple[str, Floats | None]:
    if subject.embeddings is not None and subject.embeddings.item_biases is not None:
        return "bias", subject.embeddings.item_biases
    return "mean score over the test users", subject.mean_scores


def _spearman(counts: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the rank correlation, NaN where one of the two is constant."""
    from scipy.stats import rankdata  # noqa: PLC0415 - half a second to import

    x, y = (rankdata(column) - (len(column) + 1) / 2 for column in (counts, values))
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size else math.nan

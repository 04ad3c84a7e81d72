"""The best-rated items in the plane of their factors, few-rated ones not by chance among them."""

from __future__ import annotations

from functools import partial

import numpy as np

from cfbench.analysis.components import principal_components
from cfbench.analysis.shrunk_means import bayesian_averages
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import InspectedModel, Options, Plot, View
from cfbench.reporting.plots.charts import title_map

_TITLE = "Best-rated items"
_ITEMS = 30


def best(subject: InspectedModel, options: Options) -> View:  # noqa: ARG001 - all views are called alike
    """List the 30 items of the highest Bayesian average and draw them on their own first two components."""
    known = subject.catalogue
    averages = bayesian_averages(known.counts, known.sums, known.mean)
    codes = np.lexsort((known.titles, -averages))[:_ITEMS]
    columns: dict[str, Column] = {
        "title": known.titles[codes],
        "Bayesian average": averages[codes],
        "ratings": known.counts[codes],
        "mean rating": known.means[codes],
    }
    said = (
        "Bayesian average: (C m + sum of ratings) / (C + number of ratings), of training ratings, with "
        f"m = {known.mean:.3f}, their mean, and C = {known.counts.mean():.1f}, the mean number of ratings per item."
    )
    listing = Listing("best", f"The {len(codes)} best-rated items", columns, (said,))
    vectors = subject.item_vectors
    if vectors is None or vectors.shape[1] < 2 or len(codes) < 2:
        return View(_TITLE, (listing,))
    found = principal_components(vectors[codes])
    caption = f"The {len(codes)} best-rated items on the first two principal components of their own factors"
    names = (f"PC1 ({found.explained[0]:.1%} of their variance)", f"PC2 ({found.explained[1]:.1%})")
    draw = partial(title_map, found.coordinates[:, :2], known.titles[codes], heading=caption, axis_names=names)
    return View(_TITLE, (listing,), (Plot("best", caption, draw),))

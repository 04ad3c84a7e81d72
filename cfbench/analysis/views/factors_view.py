"""The factors of the most rated items as they are."""

from __future__ import annotations

from functools import partial

from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import InspectedModel, Options, Plot, View, without
from cfbench.reporting.plots.charts import heatmap

_TITLE = "Factors of the most rated items"
_ITEMS = 20


def factors(subject: InspectedModel, options: Options) -> View:  # noqa: ARG001 - all views are called alike
    """Draw the factors of the 20 most rated items as a heatmap."""
    vectors = subject.item_vectors
    if vectors is None:
        return without(_TITLE, subject, "shows no item factors")
    known = subject.catalogue
    codes = known.by_count[:_ITEMS]
    values, titles = vectors[codes], known.titles[codes]
    columns: dict[str, Column] = {
        "title": titles,
        **{f"factor {number}": column for number, column in enumerate(values.T, start=1)},
    }
    caption = f"Factors of the {len(codes)} most rated items"
    return View(
        _TITLE,
        plots=(Plot("factors", caption, partial(heatmap, values, titles, caption)),),
        files=(Listing("factors", caption, columns),),
    )

"""How embeddings are distributed."""

from __future__ import annotations

from functools import partial

import numpy as np

from cfbench.analysis.spread import QUANTILES, measured_parts, quantiles
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import InspectedModel, Options, Plot, View, without
from cfbench.reporting.plots.charts import histograms

_TITLE = "Distribution of embeddings"
_NAMES = {0.0: "least", 0.5: "median", 1.0: "most"}


def spread(subject: InspectedModel, options: Options) -> View:  # noqa: ARG001 - all views are called alike
    """List quantiles of lengths, entries and biases on both sides, and draw histograms of them."""
    if subject.embeddings is None:
        return without(_TITLE, subject, "shows no embeddings")
    parts = measured_parts(subject.embeddings)
    table = np.array([quantiles(values) for values in parts.values()])
    columns: dict[str, Column] = {
        "what": list(parts),
        **{_NAMES.get(at, f"{at:.0%}"): table[:, place] for place, at in enumerate(QUANTILES)},
        "zeros": [int((values == 0).sum()) for values in parts.values()],
    }
    users, items = subject.embeddings.users.shape, subject.embeddings.items.shape
    said = f"{users[0]:,} users with {users[1]} factors, {items[0]:,} items with {items[1]}."
    if users[1] != items[1]:
        said += (
            " The two sides differ in length: the model does not multiply them, so users and items cannot be compared."
        )
    drawn = {name: values for name, values in parts.items() if len(values)}
    draw = partial(histograms, drawn, _TITLE)
    return View(_TITLE, (Listing("spread", "Quantiles", columns),), (Plot("spread", _TITLE, draw),), said)

"""Items of lowest and of highest bias: what is liked less or more than taste explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.extremes import extremes
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import InspectedModel, Options, View, without
from cfbench.model.ratings import Floats

_TITLE = "Item biases"


def biases(subject: InspectedModel, options: Options) -> View:
    """List the items of lowest and highest bias, with their counts and mean ratings."""
    if subject.embeddings is None or subject.embeddings.item_biases is None:
        return without(_TITLE, subject, "shows no item biases")
    values = subject.embeddings.item_biases
    fewest = options.min_ratings or 1
    lowest, highest = extremes(values, options.n, subject.catalogue.counts >= fewest)
    said = f"Among items with {fewest} or more training ratings." if fewest > 1 else "Among all training items."
    return View(
        _TITLE,
        (
            _listing("biases-lowest", "Lowest bias", lowest, values, subject, said),
            _listing("biases-highest", "Highest bias", highest, values, subject, said),
        ),
    )


def _listing(
    stem: str, title: str, codes: NDArray[np.int64], values: Floats, subject: InspectedModel, said: str
) -> Listing:
    known = subject.catalogue
    columns: dict[str, Column] = {
        "title": known.titles[codes],
        "bias": values[codes],
        "ratings": known.counts[codes],
        "mean rating": known.means[codes],
    }
    return Listing(stem, title, columns, (said,))

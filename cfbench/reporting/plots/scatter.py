"""One number of every item against how often it was rated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Floats
from cfbench.reporting.plots.canvas import new_canvas
from cfbench.reporting.plots.labels import write_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_CROWD = 5_000  # more points than these would make an SVG of megabytes


def against_popularity(
    counts: NDArray[np.int64], values: Floats, named: NDArray[np.int64], titles: Iterable[str], what: str, heading: str
) -> Canvas:
    """Draw ``values`` over ``counts``, both shape (n,), counts on a logarithmic axis.

    ``named`` are the places of the items whose ``titles`` are written beside their points, the important ones first.
    """
    canvas = new_canvas(8.0, 5.5)
    axes = canvas.add_subplot()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")  # the usual powers of ten would be formulas, which are off
    axes.xaxis.set_minor_formatter("")  # they name ticks between powers where counts span little, as formulas too
    axes.margins(x=0.1, y=0.12)
    axes.plot(counts, values, ".", markersize=3, alpha=0.4, rasterized=len(counts) > _CROWD)
    axes.plot(counts[named], values[named], ".", markersize=5, color="C1")
    axes.set_xlabel("training ratings (log)")
    axes.set_ylabel(what)
    axes.set_title(heading)
    axes.grid(alpha=0.3)
    write_labels(axes, np.stack([counts[named], values[named]], axis=1).astype(np.float64), titles)
    return canvas

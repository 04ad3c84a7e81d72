"""Distributions side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfbench.reporting.plots.canvas import new_canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_BINS = 50
_ACROSS = 2


def histograms(parts: Mapping[str, NDArray[np.float64]], heading: str) -> Canvas:
    """Draw a histogram of 50 bins for each of ``parts``, by name, each of shape (m,), m at least 1."""
    rows = -(-len(parts) // _ACROSS)
    canvas = new_canvas(8.0, 0.6 + 2.1 * rows)
    for number, (name, values) in enumerate(parts.items(), start=1):
        axes = canvas.add_subplot(rows, _ACROSS, number)
        axes.hist(values, bins=_BINS, range=_range(values))
        axes.set_title(name, fontsize=8)
        axes.ticklabel_format(axis="y", style="plain")
        axes.tick_params(labelsize=7)
    canvas.suptitle(heading)
    return canvas


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the bins; values that differ by rounding alone, too near for 50 bins, get 1 about them."""
    low, high = float(values.min()), float(values.max())
    apart = high - low > _BINS * float(np.spacing(max(abs(low), abs(high))))
    return (low, high) if apart else (low - 0.5, high + 0.5)

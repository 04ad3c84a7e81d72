"""Factors of a few items as colours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cfbench.model.ratings import Floats
from cfbench.reporting.plots.canvas import new_canvas
from cfbench.reporting.plots.labels import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def heatmap(values: Floats, titles: Iterable[str], heading: str) -> Canvas:
    """Draw ``values``, shape (n, f), a row for each title; red is above 0, blue below, white 0."""
    shown_titles = [shortened(title) for title in titles]
    canvas = new_canvas(9.0, 1.4 + 0.2 * len(values))
    axes = canvas.add_subplot()
    reach = float(np.abs(values).max(initial=0.0)) or 1.0
    extent = (0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5)  # factors counted from 1
    shown = axes.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto", extent=extent)
    axes.set_yticks(range(len(shown_titles)), shown_titles, fontsize=7)
    axes.set_xlabel("factor")
    axes.set_title(heading)
    canvas.colorbar(shown, ax=axes, label="value", pad=0.01)
    return canvas

"""Items as points of the plane, with their titles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfbench.reporting.plots.canvas import new_canvas
from cfbench.reporting.plots.labels import write_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_FAINTEST = 5_000  # points without a title that are drawn at most


def title_map(
    places: NDArray[np.float64],
    titles: Iterable[str],
    *,
    heading: str,
    axis_names: tuple[str, str] = ("", ""),
    others: NDArray[np.float64] | None = None,
) -> Canvas:
    """Draw a point with its title for each of ``places``, shape (n, 2), the important ones first.

    Args:
        places: where the items stand.
        titles: what they are called.
        heading: what the picture shows.
        axis_names: names of the two axes; without names the axes are left out, as they mean nothing.
        others: items without a title, the important ones first, shape (m, 2); 5,000 of them are drawn, faint.
    """
    canvas = new_canvas(9.0, 7.0)
    axes = canvas.add_subplot()
    axes.margins(0.12)
    if others is not None:
        axes.plot(*others[:_FAINTEST].T, ".", color="0.8", markersize=2, zorder=1)
    axes.plot(*places.T, "o", markersize=3.5, zorder=2)
    axes.set_title(heading)
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    if not any(axis_names):
        axes.set_xticks([])
        axes.set_yticks([])
    _tell_left_out(axes, write_labels(axes, places, titles))
    return canvas


def _tell_left_out(axes: Axes, left_out: int) -> None:
    if left_out:
        axes.text(
            1, -0.06, f"{left_out} titles left out for want of room", transform=axes.transAxes, ha="right", fontsize=6
        )

"""Charts of fitted models: histograms, losses, factors, and items as points with their titles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Floats
from cfbench.reporting.plots.canvas import new_canvas
from cfbench.reporting.plots.labels import shortened, write_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_BINS = 50
_ACROSS = 2  # histograms side by side
_CROWD = 5_000  # more points than these would make an SVG of megabytes
_FAINTEST = 5_000  # points without a title that are drawn at most


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


def histograms(parts: Mapping[str, NDArray[np.float64]], heading: str) -> Canvas:
    """Draw a histogram of 50 bins for each of ``parts``, by name, each of shape (m,), m at least 1."""
    rows = -(-len(parts) // _ACROSS)
    canvas = new_canvas(8.0, 0.6 + 2.1 * rows)
    for number, (name, values) in enumerate(parts.items(), start=1):
        axes = canvas.add_subplot(rows, _ACROSS, number)
        low, high = float(values.min()), float(values.max())
        if high - low <= _BINS * float(np.spacing(max(abs(low), abs(high)))):
            # Values that differ by rounding alone are too near for 50 bins: bins of 1 about them.
            low, high = low - 0.5, high + 0.5
        axes.hist(values, bins=_BINS, range=(low, high))
        axes.set_title(name, fontsize=8)
        axes.ticklabel_format(axis="y", style="plain")
        axes.tick_params(labelsize=7)
    canvas.suptitle(heading)
    return canvas


def loss_curves(epochs: Sequence[int], losses: Mapping[str, Sequence[float]], heading: str) -> Canvas:
    """Draw each of ``losses``, by name and as long as ``epochs``; NaN is a gap."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - as all of matplotlib, where it draws

    canvas = new_canvas(6.0, 4.0)
    axes = canvas.add_subplot()
    for marker, (name, values) in zip("os^v", losses.items(), strict=False):
        axes.plot(epochs, values, marker=marker, markersize=4, linewidth=1, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss, as the model reports it")
    axes.set_title(heading)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return canvas


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
    left_out = write_labels(axes, places, titles)
    if left_out:
        text = f"{left_out} titles left out for want of room"
        axes.text(1, -0.06, text, transform=axes.transAxes, ha="right", fontsize=6)
    return canvas

"""Losses by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cfbench.reporting.plots.canvas import new_canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


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

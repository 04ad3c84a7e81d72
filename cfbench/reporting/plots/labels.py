"""Titles beside points, written so that none covers another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfbench.reporting.plots.canvas import missing_glyphs_allowed
from cfbench.reporting.plots.placement import label_centres

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 6.5
_LONGEST = 34
_TIED_BEYOND = 6.0  # points between label and place from which on a thin line says whose it is
_POINTS_PER_INCH = 72


def write_labels(axes: Axes, places: NDArray[np.float64], texts: Iterable[str]) -> int:
    """Write ``texts`` beside ``places``, shape (n, 2) in data units, the important ones first.

    The axes' limits and layout are settled with this call. Sizes are measured in the font that draws here, wider than
    what browsers take in its stead. Returns how many labels there was no room for; they are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - as all of matplotlib, where it draws

    canvas = axes.get_figure(root=True)
    assert canvas is not None
    renderer = FigureCanvasAgg(canvas).get_renderer()  # type: ignore[no-untyped-call]
    with missing_glyphs_allowed():
        canvas.draw_without_rendering()
        canvas.set_layout_engine("none")
        scale = _POINTS_PER_INCH / canvas.dpi
        shown = [shortened(text) for text in texts]
        sizes = np.array([_measured(axes, text, renderer) for text in shown]).reshape(-1, 2) * scale
    points = axes.transData.transform(places) * scale
    left, bottom, right, top = (float(edge) * scale for edge in axes.bbox.extents)
    centres = label_centres(points, sizes, (left, bottom, right, top))
    offsets = centres - points
    far = np.linalg.norm((np.abs(offsets) - sizes / 2).clip(min=0), axis=1) > _TIED_BEYOND
    for text, place, offset, tied in zip(shown, places, offsets, far, strict=True):
        if np.isfinite(offset).all():
            _write(axes, text, place, offset, tied=bool(tied))
    return int(np.isnan(centres[:, 0]).sum())


def shortened(text: str) -> str:
    """Return ``text``, or its beginning with an ellipsis where it is longer than 34 characters."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def _measured(axes: Axes, text: str, renderer: object) -> tuple[float, float]:
    artist = axes.text(0, 0, text, fontsize=_SIZE)
    box = artist.get_window_extent(renderer)  # type: ignore[arg-type]
    artist.remove()
    return float(box.width), float(box.height)


def _write(axes: Axes, text: str, place: NDArray[np.float64], offset: NDArray[np.float64], *, tied: bool) -> None:
    axes.annotate(
        text,
        (float(place[0]), float(place[1])),
        xytext=(float(offset[0]), float(offset[1])),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=_SIZE,
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2} if tied else None,
    )

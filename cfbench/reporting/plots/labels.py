"""Titles beside points, placed so that no two overlap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cfbench.reporting.plots.canvas import missing_glyphs_allowed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 6.5
_LONGEST = 34
_TIED_BEYOND = 6.0  # points between label and place from which on a thin line says whose it is
_POINTS_PER_INCH = 72
_DISTANCES = (3.0, 8.0, 14.0, 22.0, 32.0, 44.0, 60.0, 80.0)
_DIRECTIONS = 16
_COVERED_POINT = 12.0  # so much farther a label may stand to leave a point free
_GAP = 1.5


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
        artists = [axes.text(0, 0, text, fontsize=_SIZE) for text in shown]
        boxes = [artist.get_window_extent(renderer) for artist in artists]
        for artist in artists:
            artist.remove()
        sizes = np.array([(box.width, box.height) for box in boxes]).reshape(-1, 2) * scale
    points = axes.transData.transform(places) * scale
    left, bottom, right, top = (float(edge) * scale for edge in axes.bbox.extents)
    centres = label_centres(points, sizes, (left, bottom, right, top))
    offsets = centres - points
    far = np.linalg.norm((np.abs(offsets) - sizes / 2).clip(min=0), axis=1) > _TIED_BEYOND
    line = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2}
    for text, place, offset, tied in zip(shown, places.tolist(), offsets.tolist(), far, strict=True):
        if np.isfinite(offset).all():
            axes.annotate(
                text,
                place,
                xytext=offset,
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=_SIZE,
                annotation_clip=False,
                arrowprops=line if tied else None,
            )
    return int(np.isnan(centres[:, 0]).sum())


def shortened(text: str) -> str:
    """Return ``text``, or its beginning with an ellipsis where it is longer than 34 characters."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def label_centres(
    points: NDArray[np.float64], sizes: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> NDArray[np.float64]:
    """Return the centre of each label's box, shape (n, 2), NaN for labels that there is no room for.

    Labels are placed in their order, so the important ones come first: each takes the nearest of 128 places around
    its point that is within bounds and free of earlier labels, a little farther off if it then covers fewer points.
    Greedy, without chance; the work is n x 128 comparisons with at most n boxes.

    Args:
        points: shape (n, 2), in any unit of length, those of the other arguments, here typographic points.
        sizes: width and height of each label, shape (n, 2).
        bounds: left, bottom, right and top that boxes stay within.
    """
    centres = np.full(points.shape, np.nan)
    placed = np.empty((0, 4))
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    for label, (point, size) in enumerate(zip(points, sizes, strict=True)):
        tried, costs = _candidates(point, size)
        half = size / 2 + _GAP / 2
        lows, highs = tried - half, tried + half  # left and bottom, right and top of boxes with half the gap, (c, 2)
        covered = ((points > lows[:, np.newaxis]) & (points < highs[:, np.newaxis])).all(axis=2)
        beyond = ((lows < low) | (highs > high)).any(axis=1)
        overlapping = ((lows[:, np.newaxis] < placed[:, 2:]) & (highs[:, np.newaxis] > placed[:, :2])).all(axis=2)
        costs = costs + _COVERED_POINT * covered.sum(axis=1)
        costs[beyond | overlapping.any(axis=1)] = np.inf
        best = int(np.argmin(costs))
        if np.isfinite(costs[best]):
            centres[label] = tried[best]
            placed = np.vstack([placed, np.concatenate([lows[best], highs[best]])])
    return centres


def _candidates(
    point: NDArray[np.float64], size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres around ``point``, shape (128, 2), and how far off each is, to the right first."""
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    offsets = [directions * (distance + size / 2) for distance in _DISTANCES]
    sideways = 0.05 * (1 - np.cos(angles))  # of two places alike the one at the right, where a label is looked for
    costs = [distance + sideways for distance in _DISTANCES]
    return point + np.concatenate(offsets), np.concatenate(costs)

"""Plots by matplotlib, the optional extra ``plots``: imported where something is drawn, byte-stable.

Canvases and what is made of drawn ones, charts of fitted models, and titles beside points, placed so that no two
overlap. Text stays text in SVG, so that a page can be searched and read aloud, and is never read as a formula.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.files.printable import printable
from cfbench.model.ratings import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Places: TypeAlias = NDArray[np.float64]
"""Points of a plane, their distances or the sizes of labels, shape (n, 2) unless another is stated."""

NO_PICTURES = "no pictures: they need matplotlib, which is not installed: pip install matplotlib"

_DOTS_PER_INCH = 150  # of PNG files, and of what crowds an SVG and is drawn as dots there
_INVALID_IN_XML = re.compile("[\ufffe\uffff]")  # besides control characters, XML cannot hold these, not even escaped

_BINS = 50
_ACROSS = 2  # histograms side by side
_LARGEST_DRAWN = 1e300  # of a loss; matplotlib finds no ticks where the span of an axis is nearly infinite
_CROWD = 5_000  # more points than these would make an SVG of megabytes
_FAINTEST = 5_000  # points without a title that are drawn at most

_FONT_SIZE = 6.5
_LONGEST_TITLE = 34
_TIED_BEYOND = 6.0  # points between label and place from which on a thin line says whose it is
_POINTS_PER_INCH = 72
_DISTANCES = (3.0, 8.0, 14.0, 22.0, 32.0, 44.0, 60.0, 80.0)
_DIRECTIONS = 16
_COVERED_POINT = 12.0  # so much farther a label may stand to leave a point free
_GAP = 1.5


def can_draw() -> bool:
    """Whether matplotlib is installed; it is not imported."""
    return find_spec("matplotlib") is not None


def style() -> AbstractContextManager[None]:
    """Return matplotlib's settings for drawing: reproducible bytes, text as text, no formulas; restored afterwards."""
    from matplotlib import rc_context  # noqa: PLC0415 - seven tenths of a second to import, only where it draws

    return rc_context({"svg.hashsalt": "cfbench", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False})


def new_canvas(width: float, height: float) -> Canvas:
    """Return an empty canvas of ``width`` x ``height`` inches; draw and render it within :func:`style`."""
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415 - as above, and no pyplot: no global state

    return Canvas(figsize=(width, height), layout="constrained")


def svg(canvas: Canvas) -> str:
    """Return the drawing as the text of an SVG file."""
    text = StringIO()
    with missing_glyphs_allowed():
        canvas.savefig(text, format="svg", dpi=_DOTS_PER_INCH, metadata={"Date": None})
    return _INVALID_IN_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text.getvalue()))


def png(canvas: Canvas) -> bytes:
    """Return the drawing as the bytes of a PNG file, 150 dots per inch."""
    data = BytesIO()
    with missing_glyphs_allowed():
        canvas.savefig(data, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return data.getvalue()


@contextmanager
def missing_glyphs_allowed() -> Iterator[None]:
    """Silence matplotlib where its font lacks letters: in SVG the reader's own fonts show them, in PNG a box stands.

    Warnings of names longer than a picture is wide, and of figures too large for one, are silenced too.
    """
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        yield


def heatmap(values: Floats, titles: Iterable[str], heading: str) -> Canvas:
    """Draw ``values``, shape (n, f), a row for each title; red is above 0, blue below, white 0."""
    canvas = new_canvas(9.0, 1.4 + 0.2 * len(values))
    axes = canvas.add_subplot()
    reach = float(np.abs(values).max(initial=0.0)) or 1.0
    extent = (0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5)  # factors counted from 1
    shown = axes.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto", extent=extent)
    axes.set_yticks(range(len(values)), map(shortened, titles), fontsize=7)
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
        finest = _BINS * float(np.spacing(max(abs(low), abs(high))))
        if high - low <= finest:
            # Values that differ by rounding alone are too near for 50 bins: 50 about them, as wide as 1 at least.
            low, high = low - max(0.5, finest), high + max(0.5, finest)
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
        drawn = np.clip(values, -_LARGEST_DRAWN, _LARGEST_DRAWN)
        axes.plot(epochs, drawn, marker=marker, markersize=4, linewidth=1, label=name)
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
    places: Places,
    titles: Iterable[str],
    *,
    heading: str,
    axis_names: tuple[str, str] = ("", ""),
    others: Places | None = None,
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


def write_labels(axes: Axes, places: Places, texts: Iterable[str]) -> int:
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
        artists = [axes.text(0, 0, text, fontsize=_FONT_SIZE) for text in shown]
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
    centred: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center", "annotation_clip": False}
    for text, place, offset, tied in zip(shown, places.tolist(), offsets.tolist(), far, strict=True):
        if np.isfinite(offset).all():
            arrow = line if tied else None
            axes.annotate(text, place, xytext=offset, fontsize=_FONT_SIZE, arrowprops=arrow, **centred)
    return int(np.isnan(centres[:, 0]).sum())


def shortened(text: str) -> str:
    """Return ``text``, or its beginning with an ellipsis where it is longer than 34 characters."""
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1].rstrip()}…"


def label_centres(points: Places, sizes: Places, bounds: tuple[float, float, float, float]) -> Places:
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


def _candidates(point: Places, size: Places) -> tuple[Places, Places]:
    """Return centres around ``point``, shape (128, 2), and how far off each is, to the right first."""
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = np.array(_DISTANCES)[:, np.newaxis]
    offsets = directions * (distances[:, :, np.newaxis] + size / 2)  # (8, 16, 2)
    costs = distances + 0.05 * (1 - np.cos(angles))  # of two alike the one at the right, where a label is looked for
    return point + offsets.reshape(-1, 2), costs.ravel()

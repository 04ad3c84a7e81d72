"""Empty canvases and what is made of drawn ones: SVG and PNG that are the same byte for byte for the same drawing.

Text stays text in SVG, so that a page can be searched and read aloud, and is never read as a formula.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

import numpy as np

from cfbench.files.printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_DOTS_PER_INCH = 150  # of PNG files, and of what crowds an SVG and is drawn as dots there
_UNSPEAKABLE = re.compile("[\ufffe\uffff]")  # with control characters, what XML has no way to say, not even escaped


def can_draw() -> bool:
    """Whether matplotlib is installed; it is not imported."""
    return find_spec("matplotlib") is not None


def style() -> AbstractContextManager[None]:
    """Bytes that do not change, text as text, names that are never read as formulas; nothing global stays changed."""
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
    return _UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", printable(text.getvalue()))


def png(canvas: Canvas) -> bytes:
    """Return the drawing as the bytes of a PNG file, 150 dots per inch."""
    data = BytesIO()
    with missing_glyphs_allowed():
        canvas.savefig(data, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return data.getvalue()


@contextmanager
def missing_glyphs_allowed() -> Iterator[None]:
    """Draw text that matplotlib's font lacks letters for: in SVG the reader's own fonts show it, in PNG a box.

    Nor is it worth a word that names are longer than a picture is wide, or that a figure is too large for one.
    """
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        yield

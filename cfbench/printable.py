"""Text from plugins, data and files, harmless on a terminal and in a page."""

from __future__ import annotations

import re

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_REORDERING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what stands behind them is shown in another order
_LINES = "\u2028\u2029"
_HALVES = "\ud800-\udfff"  # no encoding has them
_OBEYED = re.compile(f"[{_CONTROL}{_REORDERING}{_LINES}{_HALVES}]")
_OBEYED_IN_A_LINE = re.compile(f"[\t\n{_CONTROL}{_REORDERING}{_LINES}{_HALVES}]")


def printable(text: str) -> str:
    """Replace characters that a terminal or a page obeys instead of showing them; line ends and tabs stay.

    Control characters (escape sequences begin with one), marks that turn the direction of writing, separators that
    only some programs take for line ends, and halves of characters become the replacement character.
    """
    return _OBEYED.sub(_REPLACEMENT, text)


def printable_line(text: str) -> str:
    """Do the same, and keep ``text`` on one line: line ends and tabs are replaced too."""
    return _OBEYED_IN_A_LINE.sub(_REPLACEMENT, text)


def escaped_json(text: str) -> str:
    """Write the characters that :func:`printable` replaces as escapes; ``text`` is JSON and stays the same JSON."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

"""Printable text: from plugins, data and files, harmless on a terminal and in a page."""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_REORDERING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what stands behind them is shown in another order
_OTHERS = "\u2028\u2029\ud800-\udfff"  # ends of lines to some programs; halves of characters, which no encoding has
_OBEYED = re.compile(f"[{_CONTROL}{_REORDERING}{_OTHERS}]")
_OBEYED_IN_A_LINE = re.compile(f"[\t\n{_CONTROL}{_REORDERING}{_OTHERS}]")

_STAND_INS = {
    "\N{ALMOST EQUAL TO}": "~",
    "\N{DAGGER}": "+",
    "\N{PLUS-MINUS SIGN}": "+-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": ".",
    "\N{BULLET}": "*",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{INFINITY}": "inf",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{BOX DRAWINGS LIGHT VERTICAL AND RIGHT}": "+",
    "\N{BOX DRAWINGS LIGHT UP AND RIGHT}": "+",
}
"""What is written for a character that the encoding of a stream does not have."""


def stand_in_for_what_streams_lack() -> None:
    """Let standard output and error write a stand-in for what their encoding lacks, instead of ending the program."""
    codecs.register_error("cfbench-stand-in", _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cfbench-stand-in")


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """Return what is written for the characters that cannot be encoded, and where encoding goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = ""
    for character in error.object[error.start : error.end]:
        # The ASCII letters that an accented letter or a ligature is made of; a question mark for others.
        letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        written += _STAND_INS.get(character) or letters or "?"
    return written, error.end


def printable(text: str) -> str:
    """Return ``text`` without characters that a terminal or a page obeys instead of showing; line ends and tabs stay.

    Control characters (escape sequences begin with one), marks that turn the direction of writing, separators that
    only some programs take for line ends, and halves of characters become the replacement character.
    """
    return _OBEYED.sub(_REPLACEMENT, text)


def printable_line(text: str) -> str:
    """Return ``text`` as :func:`printable` does, on one line: line ends and tabs are replaced too."""
    return _OBEYED_IN_A_LINE.sub(_REPLACEMENT, text)


def escaped_json(text: str) -> str:
    """Return JSON ``text`` with the characters that :func:`printable` replaces as escapes; it means the same."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@contextmanager
def until_the_reader_leaves() -> Iterator[None]:
    """Print as long as somebody reads: a closed pager, for example, is no error and stops nothing else."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

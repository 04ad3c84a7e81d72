"""Quantities as people write them: ``3``; ``90``, ``15m``, ``1h30m``; ``500MB``, ``4GiB``, ``80%``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cyclopts import Parameter, Token

from cfbench.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]i?)?b?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")
_LEAST = 1 << 20  # bytes; whoever asks for less has left out the unit


def _whole(_hint: object, tokens: Sequence[Token]) -> int:
    """Read a whole number: left to itself, the command line would round 1.5."""
    given = tokens[0].value
    if not _WHOLE.fullmatch(given):
        raise ValueError(f"expected a whole number, got {given!r}")  # to which the command line adds the option
    return int(given)


WHOLE = Parameter(converter=_whole)
"""Marks an option that takes a whole number."""


def seconds(option: str, text: str) -> float:
    """Read a duration; a bare number is seconds. Raises UsageError naming ``option``."""
    given = text.strip().lower()
    total = 0.0
    if _NUMBER.fullmatch(given):
        total = float(given)
    elif _DURATION.fullmatch(given):
        total = sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(given))
    if not total > 0:
        raise UsageError(f"{option} {text!r}: expected a time above 0, such as 90s, 15m, 1h30m")
    return total


def size(option: str, text: str, whole: int) -> int:
    """Read a number of bytes, or a share of ``whole``. Raises UsageError naming ``option``."""
    given = text.strip().lower()
    total = 0.0
    if match := _SIZE.fullmatch(given):
        total = float(match[1]) * _BYTES[match[2] or ""]
    elif match := _SHARE.fullmatch(given):
        total = float(match[1]) / 100 * whole
    if total < _LEAST:
        raise UsageError(f"{option} {text!r}: expected a size of at least 1 MiB, such as 500MB, 4GiB, 80%")
    return int(total)

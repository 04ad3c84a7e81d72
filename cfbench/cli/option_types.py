"""Types of options: whole numbers, folders, durations such as ``1h30m`` and sizes such as ``4GiB`` or ``80%``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cyclopts import Parameter, Token

from cfbench.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]i?)?b?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")
_SMALLEST = 1 << 20  # bytes; whoever asks for less has left out the unit


# The command line puts the option before the message of a ValueError.


def _whole(_hint: object, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError(f"expected a whole number, got {text!r}")
    return int(text)


def _folder(_hint: object, tokens: Sequence[Token]) -> Path:
    if not tokens[0].value:
        raise ValueError("expected a folder, got an empty text")
    return Path(tokens[0].value)


WHOLE = Parameter(converter=_whole)
"""An option that takes a whole number; without a converter, 1.5 would be rounded."""

FOLDER = Parameter(converter=_folder)
"""An option that names a folder to write to; an empty text, from an unset variable, would be the current folder."""

OUTPUT = Parameter(name=["--output", "-o"], converter=_folder)
"""The option for the folder that a command writes its results to."""


def seconds(option: str, text: str) -> float:
    """Return the seconds of a duration; a bare number is seconds. Raises UsageError naming ``option``."""
    given = text.strip().lower()
    given += "s" if _NUMBER.fullmatch(given) else ""
    pieces = _PIECE.findall(given) if _DURATION.fullmatch(given) else []
    total = sum(float(number) * _SECONDS[unit] for number, unit in pieces)
    if not total > 0:
        raise UsageError(f"{option} {text!r}: expected a time above 0, such as 90s, 15m, 1h30m")
    return total


def size(option: str, text: str, whole: int) -> int:
    """Return the bytes of a size, or of a share of ``whole``. Raises UsageError naming ``option``."""
    given = text.strip().lower()
    total = 0.0
    if match := _SIZE.fullmatch(given):
        total = float(match[1]) * _BYTES[match[2] or ""]
    elif match := _SHARE.fullmatch(given):
        total = float(match[1]) / 100 * whole
        if total > whole:
            raise UsageError(
                f"{option} {text!r}: there is no more than 100% of the memory; give less, such as 80%, or none"
            )
    if total < _SMALLEST:
        raise UsageError(f"{option} {text!r}: expected a size of at least 1 MiB, such as 500MB, 4GiB, 80%")
    return int(total)


def make_folders(output: Path, workspace: Path | None) -> None:
    """Make the run's folder, and one for temporary files where it is named, before anything is computed.

    Raises UsageError where that cannot be.
    """
    for option, path in (("--output", output), ("--workspace", workspace)):
        if path is None:
            continue
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{option} {path} cannot be made: {error.strerror}; give a folder that you may write"
            ) from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise UsageError(f"{option} {path} cannot be written to; give a folder that you may write")

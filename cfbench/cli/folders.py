"""Folders that commands write to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cyclopts import Parameter, Token

from cfbench.errors import UsageError


def _folder(_hint: object, tokens: Sequence[Token]) -> Path:
    """Read a folder: an empty text, from a shell variable that is not set, would be the current one."""
    given = tokens[0].value
    if not given:
        raise ValueError("expected a folder, got an empty text")  # to which the command line adds the option
    return Path(given)


FOLDER = Parameter(converter=_folder)
"""Marks an option that names a folder to write to."""

OUTPUT = Parameter(name=["--output", "-o"], converter=_folder)
"""Marks the option for what a command leaves."""


def make_folders(output: Path, workspace: Path | None) -> None:
    """Make the run's folder, and one for temporary files where it is named, before anything is computed.

    Raises UsageError where that cannot be.
    """
    _make("--output", output)
    if workspace is not None:
        _make("--workspace", workspace)


def _make(option: str, path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{option} {path} cannot be made: {error.strerror}; give a folder that you may write"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"{option} {path} cannot be written to; give a folder that you may write")

"""The temporary folder of a run, and what killed runs have left of theirs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cfbench.errors import StoreError
from cfbench.records.claims import Claims

_PREFIX = "cfbench-run-"
_OWNER = "owner"
_PARTS = ("questions", "cells")


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder below ``parent``, the system's folder for temporary files where omitted, for as long as it is used.

    The folders of runs that were killed are removed on the way. Raises StoreError where none can be made.
    """
    home = (parent or Path(tempfile.gettempdir())).absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        mine = _taken(home)
    except OSError as error:
        raise StoreError(
            f"cannot make a working folder in {home}: {error.strerror}; free the disk, set TMPDIR or give --workspace"
        ) from error
    with mine:
        try:
            for name in _PARTS:
                (mine.folder / name).mkdir()
            yield mine.folder
        finally:
            _remove(mine.folder)


def _taken(home: Path) -> Claims:
    """Make a folder and own it; until then it looks like what a killed run has left, and another run may sweep it."""
    while True:
        mine = Claims(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home)))
        try:
            if mine.take(_OWNER):
                return mine
        except StoreError:
            if mine.folder.exists():
                raise


def _sweep(home: Path) -> None:
    """Remove the working folders that nobody owns any more: the kernel has released the locks of killed runs."""
    for folder in home.glob(f"{_PREFIX}*"):
        with suppress(OSError, StoreError):  # another user's, who sweeps them
            if _is_a_workspace(folder):
                with Claims(folder) as claims:
                    if claims.take(_OWNER):
                        _remove(folder)


def _is_a_workspace(folder: Path) -> bool:
    """Whether a folder holds what workspaces hold, all of it or what an interrupted making or removal left, no more."""
    found = {entry.name for entry in folder.iterdir()}
    return found <= {*_PARTS, f"{_OWNER}.lock"} and not folder.is_symlink()


def _remove(folder: Path) -> None:
    """Remove a workspace, what tells that it is one last."""
    for name in _PARTS:
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)

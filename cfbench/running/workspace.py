"""The temporary folder of a run, and what killed runs have left of theirs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cfbench.errors import StoreError
from cfbench.records.claims import Claims

_PREFIX = "cfbench-run-"
_OWNER = "owner"


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder below ``parent``, the system's folder for temporary files where omitted, for as long as it is used.

    The folders of runs that were killed are removed on the way. Raises StoreError where none can be made.
    """
    home = parent or Path(tempfile.gettempdir())
    try:
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    except OSError as error:
        raise StoreError(
            f"cannot make a working folder in {home}: {error.strerror}; free the disk, set TMPDIR or give --workspace"
        ) from error
    try:
        with Claims(folder) as mine:
            mine.take(_OWNER)
            for name in ("questions", "cells"):
                (folder / name).mkdir()
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove the working folders that nobody owns any more: the kernel has released the locks of killed runs."""
    for folder in home.glob(f"{_PREFIX}*"):
        if not (folder / f"{_OWNER}.lock").is_file():
            continue
        with Claims(folder) as claims:
            if claims.take(_OWNER):
                shutil.rmtree(folder, ignore_errors=True)

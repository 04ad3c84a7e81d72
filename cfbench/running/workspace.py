"""The temporary folder of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cfbench.errors import StoreError
from cfbench.files.owned_folder import owned_folder, sweep

_PREFIX = "cfbench-run-"
_PARTS = ("questions", "cells")


@contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder below ``parent``, the system's folder for temporary files where omitted, for as long as it is used.

    The folders of runs that were killed are removed on the way. Raises StoreError where none can be made.
    """
    home = _home(parent)
    with ExitStack() as stack:
        try:
            home.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(owned_folder(home, _PREFIX, _PARTS))
            for name in _PARTS:
                (folder / name).mkdir()
        except OSError as error:
            raise StoreError(
                f"cannot make a working folder in {home}: {error.strerror}; free the disk, set TMPDIR or give "
                "--workspace"
            ) from error
        yield folder


def clear_workspaces(parent: Path | None = None) -> None:
    """Remove what killed runs have left below ``parent``; for a run that may find nothing to compute."""
    with suppress(OSError):  # there is no such place; who needs one is told
        sweep(_home(parent), _PREFIX, _PARTS)


def _home(parent: Path | None) -> Path:
    return (parent or Path(tempfile.gettempdir())).absolute()

"""Temporary folders with an owner: those of killed processes are removed when the next one is made."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cfbench.files.lock_file import LockFile

_OWNER = "owner.lock"
_RANDOM = "?" * 8  # how tempfile ends names


@contextmanager
def owned_folder(home: Path, prefix: str, parts: Collection[str]) -> Iterator[Path]:
    """Make a folder in ``home``, which exists, for as long as it is used; abandoned ones are removed on the way.

    Args:
        home: where it is made.
        prefix: how its name begins.
        parts: names of what its user will put into it; a folder that holds anything else was not made here.

    Raises OSError where none can be made.
    """
    sweep(home, prefix, parts)
    lock = None
    # Until it is locked, the folder looks like an abandoned one, and another process may sweep it.
    while lock is None:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
        with suppress(FileNotFoundError):
            lock = LockFile.take(folder / _OWNER)
    with lock:
        try:
            yield folder
        finally:
            _remove(folder, parts)


def sweep(home: Path, prefix: str, parts: Collection[str]) -> None:
    """Remove the folders in ``home`` that killed processes have left: the kernel has released their locks.

    On a file system without locks nothing is taken for abandoned.
    """
    for folder in home.glob(f"{prefix}{_RANDOM}"):
        with suppress(OSError):  # gone meanwhile
            # Folders of other users are theirs to sweep; they could also turn into links while they are examined. One
            # of ours holds all of its parts, or what an interrupted making or removal left, and nothing else.
            state = folder.lstat()
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
                continue
            if not {entry.name for entry in folder.iterdir()} <= {*parts, _OWNER}:
                continue
            lock = LockFile.take(folder / _OWNER)
            if lock is not None:
                with lock:
                    if lock.sure:
                        _remove(folder, parts)


def _remove(folder: Path, parts: Collection[str]) -> None:
    """Remove a folder, the file of its owner's lock last."""
    for name in parts:
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)

"""Locks on cells, where several runs share a folder: each ends with the process that holds it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cfbench.files.atomic import unwritable
from cfbench.files.lock_file import LockFile

_OF_A_CELL = re.compile(r"[0-9a-f]{32}\.lock")


@dataclass
class CellLocks:
    """The cells of a run's folder that this process has locked.

    Locks are the kernel's (``flock``): a run that is killed loses its locks at once, and no clock is compared. On a
    file system without locks every call succeeds: two runs may then compute a cell twice, which costs time alone.

    Attributes:
        folder: where the lock files lie, ``<key>.lock`` each; made when first needed.
    """

    folder: Path
    _held: dict[str, LockFile] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return the locks themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release all locks."""
        for key in list(self._held):
            self.release(key)

    def acquire(self, key: str) -> bool:
        """Lock a cell; return whether this process holds its lock now, False where another run does.

        Raises StoreError where the folder cannot be written.
        """
        if key not in self._held:
            path = self.folder / f"{key}.lock"
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = LockFile.take(path)
            except OSError as error:
                raise unwritable(path, error) from error
            if lock is None:
                return False
            self._held[key] = lock
        return True

    def release(self, key: str) -> None:
        """Release the lock on a cell, which this process holds."""
        self._held.pop(key).release()


def clear_abandoned(folder: Path) -> None:
    """Remove the lock files that killed runs have left in ``folder``, where no run may ask for their cells again."""
    for path in folder.glob("*.lock"):
        if _OF_A_CELL.fullmatch(path.name):
            with suppress(OSError):
                lock = LockFile.take(path)
                if lock is not None:
                    lock.release()

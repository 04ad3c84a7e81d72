"""Who computes a cell where several runs share a folder: a lock per cell, which ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cfbench.errors import StoreError

_TAKEN = {errno.EWOULDBLOCK, errno.EACCES}


@dataclass
class Claims:
    """The cells of a run's folder that this process has taken for itself.

    Locks are the kernel's (``flock``): a run that is killed loses its claims at once, and no clock is compared. On a
    file system without locks every claim succeeds: two runs may then compute a cell twice, which costs time alone.

    Attributes:
        folder: where the lock files lie, ``<key>.lock`` each; made when first needed.
    """

    folder: Path
    _held: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up all claims."""
        for key in list(self._held):
            self.release(key)

    def take(self, key: str) -> bool:
        """Take a cell, unless another run has it; True as well where it is ours already.

        Raises StoreError where the folder cannot be written.
        """
        while key not in self._held:
            descriptor = self._opened(key)
            if not _locked(descriptor):
                os.close(descriptor)
                return False
            if _is_the_file(descriptor, self._path(key)):
                self._held[key] = descriptor
            else:  # whoever had it took the file away in between
                os.close(descriptor)
        return True

    def release(self, key: str) -> None:
        """Give up a cell that is ours."""
        descriptor = self._held.pop(key)
        with suppress(OSError):
            self._path(key).unlink()
        os.close(descriptor)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.lock"

    def _opened(self, key: str) -> int:
        path = self._path(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}; free the disk, or use another folder") from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True


def _is_the_file(descriptor: int, path: Path) -> bool:
    """Whether ``path`` still names the file that was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False

"""A lock of the kernel, on a file that is there as long as the lock is held; it ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TAKEN = {errno.EWOULDBLOCK, errno.EACCES}


@dataclass(frozen=True)
class LockFile:
    """A lock that this process holds.

    Attributes:
        path: the file.
        sure: whether no other process has it too, as they all do on a file system without locks.
    """

    path: Path
    sure: bool
    _descriptor: int

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Make the file and lock it; None where another process has it. Raises OSError where it cannot be made."""
        while True:  # whoever has it may take the file away before it is locked here
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            locked = _locked(descriptor)
            if locked is not False and _is_the_file(descriptor, path):
                return cls(path, locked is True, descriptor)
            os.close(descriptor)
            if locked is False:
                return None

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up the lock."""
        self.release()

    def release(self) -> None:
        """Remove the file and give up the lock."""
        with suppress(OSError):
            self.path.unlink()
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool | None:
    """Lock a file; False where another process has it, None where it cannot be known."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True


def _is_the_file(descriptor: int, path: Path) -> bool:
    """Whether ``path`` still names the file that was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False

"""Kernel locks on files that exist as long as the lock is held; a lock ends with its process."""

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
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            sure = True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _TAKEN:
                    os.close(descriptor)
                    return None
                sure = False
            # Its owner may have removed the file before it was locked here: then ``path`` names another one, or none.
            with suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return cls(path, sure, descriptor)
            os.close(descriptor)

    def __enter__(self) -> Self:
        """Return the lock."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def release(self) -> None:
        """Remove the file and release the lock."""
        with suppress(OSError):
            self.path.unlink()
        os.close(self._descriptor)

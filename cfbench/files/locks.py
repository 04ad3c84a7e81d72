"""Locks of the kernel on files and on temporary folders: a lock ends with its process, so killed owners are known."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TAKEN = {errno.EWOULDBLOCK, errno.EACCES}
_OWNER = "owner.lock"
_RANDOM = "?" * 8  # how tempfile ends names


@dataclass(frozen=True)
class LockFile(AbstractContextManager["LockFile"]):
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

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def release(self) -> None:
        """Remove the file and release the lock."""
        with suppress(OSError):
            self.path.unlink()
        os.close(self._descriptor)


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
    for part in (*parts, ""):
        remove_folder(folder / part)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that it holds, as far as that is possible.

    Models and libraries leave folders that may not be written to, which only root can empty as they are, and folders
    in one another beyond what a path, or a function that calls itself, can reach.
    """
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # it has gone, or cannot be looked for
        if stat.S_ISDIR(folder.lstat().st_mode):
            _flatten(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _flatten(folder: Path) -> None:
    """Give this user every right in the folders below ``folder``, and move all of them directly into it.

    That is done where it is possible; links are not followed.
    """
    token, waiting, moved = uuid.uuid4().hex, [folder], 0
    while waiting:
        place = waiting.pop()
        with suppress(OSError):
            place.chmod(0o700)
        try:
            inner = [Path(entry) for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False)]
        except OSError:  # one that cannot be opened keeps no other one
            continue
        for path in inner:
            with suppress(OSError):
                path.chmod(0o700)  # or it cannot be moved
                waiting.append(path.rename(folder / f"{token}-{moved}"))
                moved += 1

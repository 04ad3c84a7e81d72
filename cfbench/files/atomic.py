"""Atomic writing, which never leaves half a file, and paths for it inside a folder that others may have filled."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from cfbench.errors import StoreError

_OURS = ".cfbench"  # at the end of a temporary file's name: what others hide here, .env.template say, is theirs
_LEFTOVER = re.compile(rf"\..+\.[a-z0-9_]{{8}}{re.escape(_OURS)}")  # as tempfile names them


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    Contents are flushed to the disk before the rename, and the rename after it. A link at ``path`` is replaced, never
    written through. Raises StoreError where the folder cannot be written or the disk is full; the old file, if any, is
    still there then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _temporary_beside(path)
        try:
            with os.fdopen(handle, "wb") as file:
                yield cast("BinaryIO", file)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(path)  # before the file is closed, and its lock gone: it would look like a leftover
            # The rename itself is to survive a power cut, where the file system can.
            with suppress(OSError):
                descriptor = os.open(path.parent, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed writers have left in ``folder``; those in use are locked, and stay."""
    for path in folder.glob(".*"):
        if _LEFTOVER.fullmatch(path.name) is None or path.is_symlink() or not path.is_file():
            continue
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _temporary_beside(path: Path) -> tuple[int, Path]:
    """Make a locked file, again where it was removed as a leftover before it could be locked."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_OURS, dir=path.parent)
        with suppress(OSError):  # a file system without locks: nothing is taken for a leftover there
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), Path(name).stat()):
                return handle, Path(name)
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` atomically."""
    with replacing(path) as file:
        file.write(text.encode(errors="replace"))


def unwritable(path: Path, error: OSError) -> StoreError:
    """Return an error that says why ``path`` cannot be written, and what to do."""
    why = error.strerror or str(error) or type(error).__name__
    return StoreError(f"cannot write {path}: {why}; free the disk, or use another folder")


@contextmanager
def room(path: str | Path) -> Iterator[None]:
    """Make StoreError of what the disk of temporary files refuses; ``path`` is named where the error names no other."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {error.filename or path}: {error.strerror or error}; free the disk, or set TMPDIR or "
            "--workspace to a larger one"
        ) from error


def confined(root: Path, *parts: str) -> Path:
    """Return ``root/parts...`` for writing.

    The last part may be a link: files are replaced there, not written through. Raises StoreError where a folder on the
    way is a link that leads out of ``root``: a results folder from elsewhere must not reach the rest of the disk.
    """
    folder, inside = root, root.resolve()
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink() and not folder.resolve().is_relative_to(inside):
            raise StoreError(
                f"{folder} is a link that leads out of {root}; nothing is written through it: remove it, or copy what "
                "it names"
            )
    return folder / parts[-1]

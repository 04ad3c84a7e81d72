"""Guarded reading of whole files from elsewhere: no device, no pipe, and a limit on the size."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

MEBIBYTE = 1 << 20


def require_plain(path: Path, most: int) -> None:
    """Raise OSError, with ``strerror`` for readers, unless ``path`` is a regular file of at most ``most`` bytes.

    A link is followed to what it names; a device or a pipe could be read for ever.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    if found.st_size > most:
        raise _too_large(path, most)


def read_plain(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes; raises OSError, with ``strerror``, for others."""
    require_plain(path, most)
    with path.open("rb") as file:
        data = file.read(most + 1)  # what is no file on a disk may hold more than its size says
    if len(data) > most:
        raise _too_large(path, most)
    return data


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {most / MEBIBYTE:,.0f} MiB", str(path))

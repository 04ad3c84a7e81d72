"""A sandbox for cells: no writing into the run's folder or the data, no signals to processes that are not their own.

Linux alone can be asked for that without privileges, by its Landlock module (5.13 and later, signals from 6.12 on;
https://docs.kernel.org/userspace-api/landlock.html). Elsewhere a cell is kept apart by its process alone.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, by the same number on every architecture
_VERSION_QUERY, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVILEGES = 38
_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))  # removing and making entries of every kind
_SINCE_REFER, _SINCE_TRUNCATE, _SINCE_SCOPES = 2, 3, 6
_SCOPE_SIGNALS = 1 << 1


def landlock_version() -> int:
    """Return the version of Landlock that the kernel offers, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_QUERY)))


def confine(protected: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Deny this process, and all that it will start, to write below ``protected``, except below ``writable``.

    Nothing else on the disk changes hands, but entries that are made later beside a protected folder, or beside one
    of its parents, cannot be written either: Landlock knows permissions only. Signals then reach the process's own
    children alone.

    Returns whether the kernel could do it; nothing is denied where it could not.
    """
    version, libc = landlock_version(), _libc()
    if version == 0:
        return False
    in_files = _WRITE_FILE | (_TRUNCATE if version >= _SINCE_TRUNCATE else 0)
    rights = in_files | _CHANGE_FOLDER | (_REFER if version >= _SINCE_REFER else 0)
    attributes = struct.pack("QQQ", rights, 0, _SCOPE_SIGNALS) if version >= _SINCE_SCOPES else struct.pack("Q", rights)
    rules = int(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    if rules < 0:
        return False
    try:
        for path in (*_everything_but([folder.resolve() for folder in protected]), *writable):
            with suppress(OSError):  # what vanishes meanwhile, or cannot be opened, needs no permission
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
                rule = struct.pack("=Qi", rights if path.is_dir() else in_files, descriptor)
                libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
                os.close(descriptor)
        return bool(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _everything_but(protected: list[Path]) -> Iterator[Path]:
    """Yield the largest folders and files that together hold everything but the ``protected`` folders."""
    closed = {parent for path in protected for parent in (path, *path.parents)}
    if not closed:
        yield Path("/")
    within = {path for path in closed if any(path.is_relative_to(folder) for folder in protected)}
    for parent in closed - within:
        with suppress(OSError):
            yield from (entry for entry in parent.iterdir() if entry not in closed and not entry.is_symlink())

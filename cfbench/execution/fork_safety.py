"""Safety of forking: what a process holds that its forks would share: one cell could leave notes there for another."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cfbench.execution.child_processes import children_of

_MEMORY = ("/dev/shm/", "/dev/zero")  # noqa: S108 - names that shared memory has in lists of mappings
_STANDARD = 2  # the last of the standard descriptors
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/nvidia", "/dev/dri/", "/dev/kfd")


def hazard_of(pid: int, known: frozenset[str]) -> str:
    """Return why cells must not be forked from a process, empty where nothing speaks against it.

    A thread may hold a lock at the moment of the fork, and goes on working beside the cells. Shared memory, pipes,
    sockets and files (whose position is shared, too) reach all forks. Devices are no place for notes.

    Args:
        pid: the process.
        known: what its descriptors above the standard ones may lead to, as ``/proc`` names it.
    """
    proc = Path(f"/proc/{pid}")
    if len(list((proc / "task").iterdir())) > 1:
        return "started threads"
    if children_of(pid):
        return "started processes"
    for line in (proc / "maps").read_text("utf-8", errors="replace").splitlines():
        _, rights, _, _, _, *path = line.split(maxsplit=5)
        shared = rights[1] == "w" and rights[3] == "s"
        if shared and (not "".join(path).startswith("/dev/") or "".join(path).startswith(_MEMORY)):
            return "made memory that its cells would share"
    for descriptor in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):
            where = str(descriptor.readlink())
            flags = (proc / "fdinfo" / descriptor.name).read_text("ascii").split()[3]
            if int(flags, 8) & os.O_PATH:  # names a file without opening it
                continue
            if int(descriptor.name) > _STANDARD and where not in known and not where.startswith(_DEVICES):
                return f"opened what its cells would share ({where[:100]})"
    return ""

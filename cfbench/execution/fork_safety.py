"""Safety of forking: what a process holds that its forks would share: one cell could leave notes there for another."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from cfbench.execution.child_processes import children_of

_MEMORY = ("/dev/shm/", "/dev/zero")  # noqa: S108 - names that shared memory has in lists of mappings
_SHARED = re.compile(r"^(\S+) .(.).s \S+ \S+ \S+ *(.*)$", re.M)  # span, right to write, path
_TELLING = ("SigPnd", "ShdPnd", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/nvidia", "/dev/dri/", "/dev/kfd")


def hazard_of(pid: int, known: frozenset[str]) -> str:
    """Return why cells must not be forked from a process, empty where nothing speaks against it.

    A thread may hold a lock at the moment of the fork, and goes on working beside the cells. Shared memory, pipes,
    sockets and files (whose position is shared, too) reach all forks. Devices are no place for notes.

    Args:
        pid: the process.
        known: what its descriptors may lead to beside devices, as ``/proc`` names it.
    """
    proc = Path(f"/proc/{pid}")
    if len(list((proc / "task").iterdir())) > 1:
        return "started threads"
    if children_of(pid):
        return "started processes"
    for span, right, path in _SHARED.findall((proc / "maps").read_text("utf-8", errors="replace")):
        held = not path.startswith("/dev/") or path.startswith(_MEMORY)
        if held and (right == "w" or _may_be_written(proc, span)):
            return "made memory that its cells would share"
    for descriptor in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):
            where = str(descriptor.readlink())
            flags = (proc / "fdinfo" / descriptor.name).read_text("ascii").split()[3]
            if int(flags, 8) & os.O_PATH:  # names a file without opening it
                continue
            if where not in known and not where.startswith(_DEVICES):
                return f"opened what its cells would share ({where[:100]})"
    return ""


def _may_be_written(proc: Path, span: str) -> bool:
    """Whether a part of an address space that is shared can be made writable: its file was open for writing."""
    return bool((proc / "map_files" / span).lstat().st_mode & stat.S_IWUSR)


def state_at_rest(pid: int) -> tuple[str, ...] | None:
    """Return what would tell that a stopped process was reached by another; None as long as it is not stopped.

    One that ran has changed its context more often. Signals wait for it. Its forks share position, flags and locks of
    the files that it holds.
    """
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text("utf-8", errors="replace").splitlines())
    if not status["State"].strip().startswith("T"):
        return None
    files = sorted((proc / "fdinfo").iterdir())
    return (*(status.get(name, "") for name in _TELLING), *(f"{one.name} {one.read_text('ascii')}" for one in files))

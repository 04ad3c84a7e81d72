"""Control groups: limits of memory and of processes that the kernel keeps for processes together, where it lets us.

Version 1 has a tree of groups for every controller, version 2 one for all. A group can be made where its parent is
writable: for the superuser, in many containers, and where systemd has delegated one (``systemd-run --user --scope -p
Delegate=yes``). Nothing is moved but this process, its descendants, and the cells.
https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

_ROOT, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_PREFIX = "cfbench-"
_PROCESSES = "cgroup.procs"
_ENABLED = "cgroup.subtree_control"
_ATTEMPTS, _PAUSE = 50, 0.01  # to remove a group whose processes are ending


def memory_limits(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> Iterator[int]:
    """Yield the limits of memory, in bytes, of the groups that this process is in, nested ones and those around."""
    for controller, names in (("memory", ("memory.limit_in_bytes",)), ("", ("memory.max",))):
        for folder in _groups(controller, root, membership):
            for name in names:
                with suppress(OSError, ValueError):  # none is set: the file is missing, or holds the word "max"
                    yield int((folder / name).read_text(encoding="ascii"))


def _groups(controller: str, root: Path, membership: Path) -> list[Path]:
    """Return the folder of the group that this process is in, and those of the groups around it, the innermost first.

    ``controller`` is empty for version 2. A container may see no more than a part of the tree, as if it were all.
    """
    inner = ""
    with suppress(OSError):
        for line in membership.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                inner = path
    mounts = [root / controller] if controller else [root / "unified", root]
    mount = next((one for one in mounts if one.is_dir()), root)
    parts = [part for part in inner.split("/") if part not in ("", "..")]
    nested = (mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))
    return [folder for folder in nested if folder.is_dir()]


@dataclass(frozen=True)
class ControlGroups:
    """Groups of one run's cells, below a group of the run.

    Attributes:
        version: of the kernel's control groups.
        folders: the run's group by controller, ``memory`` and, where it can be had, ``pids``.
    """

    version: Literal["cgroup-v1", "cgroup-v2"]
    folders: Mapping[str, Path]

    @classmethod
    def make(cls, root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> Self | None:
        """Make the group of a run, and remove those of runs that were killed; None where the kernel lets us make none.

        One that was made is for all processes of the run: a group of version 2 can hold either processes or groups.
        """
        name = f"{_PREFIX}{os.getpid()}.{_start_of(os.getpid())}"
        if (parent := _parent_of_version_2(_groups("", root, membership), name)) is not None:
            _sweep(parent)
            with suppress(OSError):
                _make(parent / name)
                usable = _usable(parent)
                _write(parent / name / _ENABLED, " ".join(f"+{controller}" for controller in usable))
                return cls("cgroup-v2", dict.fromkeys(usable, parent / name))
        folders = {}
        for controller in ("memory", "pids"):
            for parent in _groups(controller, root, membership)[:1] if (root / controller).is_dir() else ():
                _sweep(parent)
                with suppress(OSError):
                    _make(parent / name)
                    folders[controller] = parent / name
        return cls("cgroup-v1", folders) if "memory" in folders else None

    def enter(self, name: str, pid: int, *, memory: int | None = None, processes: int | None = None) -> bool:
        """Move a process, and all that it will start, into a group of its own; return whether that worked.

        Args:
            name: the group's name, one part of a path.
            pid: the process.
            memory: bytes beyond which the kernel ends a process of the group; None for no limit.
            processes: number of processes and threads that the group may have at the same time; None for no limit.
        """
        limits: dict[str, int | None] = {"pids.max": processes}
        if self.version == "cgroup-v1":
            limits |= {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
        else:
            limits |= {"memory.max": memory, "memory.swap.max": 0, "memory.oom.group": 1}
        try:
            for controller, folder in self.folders.items():
                _make(folder / name)
                for file, value in limits.items():
                    if value is not None and file.startswith(controller):
                        with suppress(FileNotFoundError):  # a kernel that does not count swap
                            _write(folder / name / file, str(value))
                _write(folder / name / _PROCESSES, str(pid))
        except OSError:
            return False
        return True

    def make_ready(self, root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> None:
        """Let the kernel get ready to move a process, which takes it some 10 ms unless it has just moved another.

        It is for the time in which that process starts. Nothing is moved but this process to where it is.
        """
        for folder in _groups("memory" if self.version == "cgroup-v1" else "", root, membership)[:1]:
            with suppress(OSError):  # of version 2, a group that holds others takes no processes any more
                _write(folder / _PROCESSES, str(os.getpid()))

    def oom_kills(self, name: str) -> int:
        """Return how many processes of a group the kernel has killed because it held more than allowed."""
        file = "memory.oom_control" if self.version == "cgroup-v1" else "memory.events"
        with suppress(OSError, ValueError):
            for line in (self.folders["memory"] / name / file).read_text(encoding="ascii").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0

    def close(self, name: str) -> None:
        """Kill what is left in a group, and remove it."""
        for folder in set(self.folders.values()):
            _remove(folder / name)

    def shut(self) -> None:
        """Remove the group of the run with those of its cells; what is left in them is killed."""
        for folder in set(self.folders.values()):
            for inner in _inner(folder):
                _remove(inner)
            with suppress(OSError):
                folder.rmdir()


def _parent_of_version_2(groups: list[Path], name: str) -> Path | None:
    """Return the innermost group around this process in which one with limits can be made.

    It has to pass its controllers on, which one with processes of its own cannot. Where the innermost group holds
    nothing but this process and its descendants, they are moved into a group within.
    """
    ours = [folder for folder in groups if os.access(folder, os.W_OK) and os.access(folder / _PROCESSES, os.W_OK)]
    if ours != groups[: len(ours)] or not ours:
        return None  # a process can be moved within what is ours alone
    for folder in ours:
        if "memory" in _usable(folder):
            return folder
    members = _words(ours[0] / _PROCESSES)
    if "memory" in _words(ours[0] / "cgroup.controllers") and all(_descends(int(pid), os.getpid()) for pid in members):
        with suppress(OSError):
            inner = ours[0] / f"{name}-main"
            _make(inner)
            for pid in members:
                _write(inner / _PROCESSES, pid)
            _write(ours[0] / _ENABLED, "+memory +pids")
            return ours[0]
    return None


def _usable(folder: Path) -> list[str]:
    """Return the controllers that a group of version 2 passes on."""
    passed = _words(folder / _ENABLED)
    return [controller for controller in ("memory", "pids") if controller in passed]


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []


def _write(file: Path, text: str) -> None:
    """Write to a file of the kernel, which must be there."""
    with file.open("r+", encoding="ascii") as opened:
        opened.write(text)


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _state_of(pid: int) -> list[str]:
    """Return what the kernel says of a process, from its state on; nothing where there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []


def _start_of(pid: int) -> str:
    """Return when a process began, in the kernel's ticks; empty where there is none."""
    return "".join(_state_of(pid)[19:20])


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        pid = int("".join(_state_of(pid)[1:2]) or 0)
    return pid == ancestor


def _sweep(parent: Path) -> None:
    """Remove the groups of runs that have gone. One that still holds a process stays."""
    with suppress(OSError):
        for folder in [*parent.glob(f"{_PREFIX}[0-9]*.[0-9]*")]:
            pid, _, start = folder.name.removeprefix(_PREFIX).partition("-")[0].partition(".")
            if _start_of(int(pid)) != start:
                for one in (*_inner(folder), folder):
                    with suppress(OSError):
                        one.rmdir()


def _inner(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [entry for entry in folder.iterdir() if entry.is_dir()]
    return []


def _remove(folder: Path) -> None:
    """Kill the processes of a group until the kernel lets it go; the next run removes one that stays."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            for pid in _words(folder / _PROCESSES):
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_PAUSE)
        else:
            return

"""A process with everything that it started: its memory, and its end.

On Linux ``/proc`` is read; psutil, which workers may lack, is imported on other systems alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # from <linux/prctl.h>
_ROUNDS = 20  # of killing; what survives them waits for a device and ends when that answers
_ROUND_SECONDS, _LOOK = 1.0, 0.01
_THREADS = 17  # which field of ``stat`` counts them, after the name
_LINUX = sys.platform == "linux"
_PROC = Path("/proc")


def die_with_the_parent(parent: int | None = None, by: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for the signal ``by`` when the thread that forked this process ends; only Linux can.

    ``parent`` is its process: where that has gone already, the signal comes at once.
    """
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), by)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none gets out of sight; only Linux can."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(roots: Iterable[int]) -> set[int]:
    """Return all living processes below ``roots``, these excepted; zombies do not count.

    A process whose main thread has ended looks like a zombie, and lives as long as it has others.
    """
    parent_of, zombies = dict[int, int](), set[int]()  # what a zombie has started may still live
    if _LINUX:
        for folder in _PROC.iterdir():
            with suppress(OSError):  # it has ended meanwhile
                if folder.name.isdecimal():
                    # The second field, the name in parentheses, may hold anything.
                    fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                    parent_of[int(folder.name)] = int(fields[1])
                    if fields[0] in (b"Z", b"X") and int(fields[_THREADS]) <= 1:
                        zombies.add(int(folder.name))
    else:
        psutil = import_module("psutil")
        processes = list(psutil.process_iter(["ppid", "status"]))
        parent_of = {one.pid: one.info["ppid"] for one in processes}
        zombies = {one.pid for one in processes if one.info["status"] == psutil.STATUS_ZOMBIE}
    found, below = set[int](), set(roots)
    while below := {pid for pid, parent in parent_of.items() if parent in below} - found:
        found |= below
    return found - zombies


def held_bytes(pid: int, *, shared: bool = True) -> int:
    """Return the resident memory of a process, 0 where it has gone.

    Without ``shared`` memory, it is what a forked child adds to its parent's.
    """
    if not _LINUX:
        psutil = import_module("psutil")
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            return int(process.memory_info().rss if shared else process.memory_full_info().uss)
        return 0
    with suppress(OSError):
        if shared:
            return int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        lines = (_PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(b"Private_")) * 1024
    return 0


def kill_descendants(pid: int, spared: frozenset[int] = frozenset()) -> None:
    """Kill all descendants of a process until none is left, ``spared`` children and those below them excepted.

    A process that is being killed may have started another a moment before, hence the repetition.
    """
    for _ in range(_ROUNDS):
        doomed = descendants([pid]) - spared - descendants(spared)
        if not doomed:
            return
        for one in doomed:
            with suppress(OSError):
                os.kill(one, signal.SIGKILL)
        until = time.monotonic() + _ROUND_SECONDS
        while doomed & descendants([pid]) and time.monotonic() < until:
            time.sleep(_LOOK)
        for one in doomed:  # children of this process would stay as zombies
            with suppress(ChildProcessError):
                os.waitpid(one, os.WNOHANG)


def how_ended(code: int) -> str:
    """Say how a process ended, by its exit code or, below 0, the signal that killed it."""
    if code >= 0:
        return f"ended with exit code {code}"
    names = {int(known): known.name for known in signal.Signals}  # real-time signals have no names
    return f"was killed by {names.get(-code, f'signal {-code}')}"

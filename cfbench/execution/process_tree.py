"""A process with everything that it started: its memory, and its end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

import psutil

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # from <linux/prctl.h>
_ROUNDS = 20  # of killing; what survives them waits for a device and ends when that answers


def die_with_the_parent(parent: int | None = None, by: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for the signal ``by`` when the thread that forked this process ends; only Linux can.

    ``parent`` is its process: where that has gone already, the signal comes at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), by)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none gets out of sight; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[psutil.Process]:
    """Return the living descendants of a process, none where it has gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def resident_bytes(pid: int) -> int:
    """Return the resident memory of one process, 0 where it has gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def unshared_bytes(processes: list[psutil.Process]) -> int:
    """Return the memory that ``processes`` do not share with others: what forked children add to their parent's."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_full_info().uss
    return total


def kill_descendants(pid: int, spared: frozenset[int] = frozenset()) -> None:
    """Kill all descendants of a process until none is left, those below ``spared`` children excepted.

    A process that is being killed may have started another a moment before, hence the repetition.
    """
    for _ in range(_ROUNDS):
        doomed = _living(pid, spared)
        if not doomed:
            return
        for process in doomed:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(doomed, timeout=1)


def _living(pid: int, spared: frozenset[int]) -> list[psutil.Process]:
    keep = spared.union(*({one.pid for one in descendants(child)} for child in spared))
    return [one for one in descendants(pid) if one.pid not in keep and _alive(one)]


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def how_ended(code: int) -> str:
    """Say how a process ended, by its exit code or, below 0, the signal that killed it."""
    return f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"

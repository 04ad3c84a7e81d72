"""Children of a process, as the kernel lists them: quick enough to be looked at twenty times a second.

What loses its parent is adopted by the nearest process above that has asked for it. Where nothing but a few known
processes is left among the children of such a one, nothing else lives below it, wherever it has hidden.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from cfbench.execution.process_tree import descendants

_PATIENCE = 20.0  # seconds; what survives them waits for a device and ends when that answers
_PAUSE = 0.001
_MOST_DESCRIPTORS = 1 << 16
_LISTED = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def children_of(pid: int) -> set[int]:
    """Return the children of a process, also those that have ended and wait to be reaped."""
    if not _LISTED:  # another system, or a kernel built without these lists
        below = descendants([pid])
        return below - descendants(below)
    found = set[int]()
    with suppress(OSError):  # it has ended meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found.update(map(int, (thread / "children").read_bytes().split()))
    return found


def count_below(pid: int, most: int) -> int:
    """Return how many processes there are below one, also those not reaped yet; counting stops beyond ``most``."""
    found, waiting = set[int](), [pid]
    while waiting and len(found) <= most:
        new = children_of(waiting.pop()) - found
        found |= new
        waiting += new
    return len(found)


def end_children_but(known: Collection[int]) -> None:
    """Kill and reap all children of this process but the ``known`` ones, until none is left.

    What they have started becomes this process's own as they end. A chain of processes of which each starts the next
    and ends is caught at one of its links: looking at the own children is quicker than starting a process.
    """
    until, before = time.monotonic() + _PATIENCE, set[int]()
    while (strangers := children_of(os.getpid()).difference(known)) and time.monotonic() < until:
        for one in strangers:
            with suppress(OSError):
                os.kill(one, signal.SIGKILL)
        for one in strangers:
            with suppress(ChildProcessError):
                os.waitpid(one, os.WNOHANG)
        if strangers == before:
            time.sleep(_PAUSE)
        before = strangers


def close_all_but(*kept: int) -> None:
    """Close all descriptors but the three standard ones and those ``kept``."""
    first = 3
    for descriptor in (*sorted(one for one in kept if one >= first), _MOST_DESCRIPTORS):
        os.closerange(first, descriptor)
        first = descriptor + 1

"""Memory: the peak of this process, resettable where the kernel allows it, and what the machine has."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_GROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def reset_peak() -> None:
    """Forget earlier peaks, so that a forked child does not report its parent's. No effect outside Linux."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_bytes() -> int:
    """Return the peak resident size since :func:`reset_peak`, in bytes (of the whole life outside Linux)."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine_bytes() -> int:
    """Return the memory that this process and its like may use: the machine's, or less where a container says so."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in _GROUP_LIMITS:
        with suppress(OSError, ValueError):  # not Linux, or no limit, which is the word "max"
            whole = min(whole, int(limit.read_text()))
    return whole

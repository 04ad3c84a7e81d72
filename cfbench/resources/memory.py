"""Memory: the peak of this process, which Linux can reset, and the size of the machine's."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

_CONTROL_GROUP = Path("/sys/fs/cgroup")


def reset_peak() -> None:
    """Forget earlier peaks, so that a forked child does not report its parent's. No effect outside Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Return the peak resident size since :func:`reset_peak`, in bytes (of the whole life outside Linux)."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine_bytes(control_group: Path = _CONTROL_GROUP) -> int:
    """Return the bytes of memory that processes here may use: the machine's, or less where a container says so."""
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # not Linux, or no limit, which is the word "max"
            limit = min(limit, int((control_group / name).read_text()))
    return limit

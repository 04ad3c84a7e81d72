"""What the control group of this process allows it: processors and memory, in containers and under batch systems."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def allowed_cores(root: Path = ROOT) -> float | None:
    """Return how many cores' worth of time is allowed, or None where there is no limit."""
    quota, _, period = _line(root / "cpu.max").partition(" ")
    if not quota:
        quota, period = _line(root / "cpu/cpu.cfs_quota_us"), _line(root / "cpu/cpu.cfs_period_us")
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return int(quota) / int(period)


def allowed_bytes(root: Path = ROOT) -> int | None:
    """Return how much memory is allowed, in bytes, or None where there is no limit."""
    limit = _line(root / "memory.max") or _line(root / "memory/memory.limit_in_bytes")
    return int(limit) if limit.isdecimal() and int(limit) < 2**60 else None  # older kernels write a huge number


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""

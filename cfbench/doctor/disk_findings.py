"""Room to work in: memory, and folders that can be written to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from cfbench.doctor.control_group import allowed_bytes
from cfbench.doctor.doctor_options import Premises
from cfbench.doctor.finding import Finding, Level

_GIB = 2**30
_LITTLE_MEMORY = 2 * _GIB
_LITTLE_DISK, _NO_DISK = _GIB, _GIB // 10


def memory_findings() -> list[Finding]:
    """Tell how much memory there is, free, and allowed."""
    memory, limit = psutil.virtual_memory(), allowed_bytes()
    total = memory.total if limit is None else min(memory.total, limit)
    free = min(memory.available, total)
    told = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    told += f"; a container's limit, the machine has {memory.total / _GIB:.1f} GiB" if total < memory.total else ""
    if free >= _LITTLE_MEMORY:
        return [Finding("memory", "ok", told)]
    return [Finding("memory", "warning", told, "end what holds memory, run one job, or set --memory-limit")]


def disk_findings(premises: Premises) -> list[Finding]:
    """Tell of each folder that runs write to whether they can, and how much room there is."""
    return [
        *_folder("runs", premises.runs, "--output FOLDER", "problem"),
        *_folder("cache of data sets", premises.cache, "CFBENCH_CACHE=FOLDER", "warning"),
        *_folder("temporary files", premises.temporary, "TMPDIR=FOLDER", "problem"),
    ]


def _folder(what: str, folder: Path, instead: str, level: Level) -> Iterator[Finding]:
    there = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        told = f"{what}: {folder} cannot be written to: {error.strerror or error}"
        yield Finding("disk", level, told, f"{instead} names another one")
        return
    told = f"{what}: {free / _GIB:,.1f} GiB free for {folder}"
    if free >= _LITTLE_DISK:
        yield Finding("disk", "ok", told)
    else:
        yield Finding("disk", "warning" if free >= _NO_DISK else "problem", told, f"make room, or {instead}")


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or the nearest one above it that exists: it would be made there."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)

"""Cost of a cell: seconds, memory, bytes on disk, electricity; the clock and the memory's peak that it is read from."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cfbench.resources.cgroups import memory_limits

LONGEST_TEXT = 500
"""Characters of the longest text about a cell's cost, e.g. of its device."""

_MOST_PARTS, _MOST_SECONDS, _MOST = 100, 1e10, 1 << 60


@dataclass(frozen=True)
class Cost:
    """Cost of a cell.

    Attributes:
        seconds: wall seconds by part: ``import``, ``load``, ``fit``, ``add_cold_entities`` (by their features),
            ``predict`` (the model's own answers; of the seconds of all pairs the share of test rows), ``rank``
            (masking and cutting lists), ``check`` (ratings of training rows and decoys, what is asked again,
            embeddings), ``save``, ``write``, and in the parent ``measure``. Of a cell that was ended, or
            crashed, there is ``cell`` alone: from its beginning to its end.
        cpu_seconds: CPU seconds likewise.
        peak_memory: peak resident bytes of the cell's process.
        device: the device the model ran on.
        model_bytes: what the model's own ``save`` wrote, in bytes; None for a model that cannot be saved.
        energy_kwh: electricity of fitting and answering, in kWh; None where it was not wanted or cannot be measured.
        energy_method: how ``energy_kwh`` was measured or estimated, or why there is none; empty where not wanted.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory: int = 0
    device: str = "cpu"
    model_bytes: int | None = None
    energy_kwh: float | None = None
    energy_method: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for what no cell can have cost, and for texts that no table could show."""
        times = [*self.seconds.values(), *self.cpu_seconds.values()]
        # Differences of clocks that are all but nothing may be below zero by rounding.
        if len(times) > _MOST_PARTS or not all(-0.001 < one < _MOST_SECONDS for one in times):
            raise ValueError(f"seconds: expected up to {_MOST_PARTS} numbers of at least 0, got {times!s:.100}")
        for name in ("peak_memory", "model_bytes", "energy_kwh"):
            amount = getattr(self, name)
            if amount is not None and not 0 <= amount < _MOST:
                raise ValueError(f"{name}: expected a number of at least 0, got {amount!s:.30}")
        if any(len(text) > LONGEST_TEXT for text in (self.device, self.energy_method, *self.seconds)):
            raise ValueError(f"device, energy_method: expected up to {LONGEST_TEXT} characters")


@dataclass
class Clock:
    """A clock that adds up the seconds spent inside ``with clock.part(name):`` blocks.

    Parts exclude one another: seconds inside a nested part count for the inner one alone, so parts add up.

    Attributes:
        wall: wall-clock seconds by part.
        cpu: CPU seconds of this process (all threads) by part.
        entered: called with the name of every part that begins.
    """

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    entered: Callable[[str], None] = field(default=lambda _name: None, repr=False)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block under ``name``, also when it raises."""
        self.entered(name)
        wall, cpu = time.perf_counter(), time.process_time()
        inner_wall, inner_cpu = sum(self.wall.values()), sum(self.cpu.values())
        try:
            yield
        finally:
            inner_wall, inner_cpu = sum(self.wall.values()) - inner_wall, sum(self.cpu.values()) - inner_cpu
            self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - wall - inner_wall
            self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - cpu - inner_cpu

    def move(self, part: str, to: str, share: float, before: Clock) -> None:
        """Count a share of what ``part`` has had since ``before``, a copy of this clock from then, under ``to``."""
        for seconds, earlier in ((self.wall, before.wall), (self.cpu, before.cpu)):
            moved = share * (seconds[part] - earlier.get(part, 0.0))
            seconds[part] -= moved
            seconds[to] = seconds.get(to, 0.0) + moved

    def copy(self) -> Clock:
        """Return a clock that has counted the same up to now."""
        return Clock(dict(self.wall), dict(self.cpu))


def reset_peak() -> None:
    """Forget earlier peaks, so that a forked child does not report its parent's. No effect outside Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak_bytes() -> int:
    """Return the peak resident size since :func:`reset_peak`, in bytes (of the whole life outside Linux)."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine_bytes() -> int:
    """Return the bytes of memory that processes here may use: the machine's, or less where a control group says so.

    Containers, systemd and schedulers of clusters set limits of groups, nested ones too.
    """
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *memory_limits()])

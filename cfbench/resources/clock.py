"""Wall and CPU seconds by named part of the work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


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

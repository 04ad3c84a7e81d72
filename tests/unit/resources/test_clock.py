"""Seconds by part."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from cfbench.resources.cost import Clock


@pytest.fixture
def work(monkeypatch) -> Callable[[float, float], None]:
    """Let seconds pass on the wall and on the processor, where no time passes otherwise."""
    wall, cpu = [1000.0], [10.0]

    def work(wall_seconds: float, cpu_seconds: float) -> None:
        wall[0] += wall_seconds
        cpu[0] += cpu_seconds

    by_hand = SimpleNamespace(perf_counter=lambda: wall[0], process_time=lambda: cpu[0])
    monkeypatch.setattr("cfbench.resources.cost.time", by_hand)
    return work


def test_seconds_in_a_nested_part_count_for_the_inner_one_alone(work):
    clock = Clock()
    with clock.part("outer"):
        work(2.0, 1.0)
        for _ in range(2):
            with clock.part("inner"):
                work(3.0, 0.5)
        work(4.0, 0.0)
    assert clock.wall == {"outer": 6.0, "inner": 6.0}
    assert clock.cpu == {"outer": 1.0, "inner": 1.0}


def test_a_part_that_raises_is_counted():
    clock = Clock()
    with pytest.raises(KeyError), clock.part("failing"):
        raise KeyError
    assert "failing" in clock.wall

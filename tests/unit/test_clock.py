"""Seconds by part."""

from __future__ import annotations

import time

import pytest

from cfbench.clock import Clock


def burn(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_seconds_in_a_nested_part_count_for_the_inner_one_alone():
    clock = Clock()
    with clock.part("outer"):
        burn(0.02)
        for _ in range(2):
            with clock.part("inner"):
                burn(0.03)
    assert clock.wall["inner"] >= 0.06
    assert 0.02 <= clock.wall["outer"] < clock.wall["inner"]


def test_a_part_that_raises_is_counted():
    clock = Clock()
    with pytest.raises(KeyError), clock.part("failing"):
        raise KeyError
    assert "failing" in clock.wall

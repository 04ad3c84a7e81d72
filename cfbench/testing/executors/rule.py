"""A rule of the contract of executors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cfbench.testing.executors.workbench import Bench


@dataclass(frozen=True)
class ExecutorRule:
    """A rule that executors keep.

    Attributes:
        name: states the behaviour, e.g. ``"no tasks give no outcomes"``.
        verify: raises, preferably AssertionError, where the executor breaks the rule.
        isolates: whether only executors that give every cell a process of its own are bound by it.
    """

    name: str
    verify: Callable[[Bench], None]
    isolates: bool = False

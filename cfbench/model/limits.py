"""Checks of parameters, in one wording for models, splitters, preprocessors, metrics and executors.

A plugin is a dataclass; its ``__post_init__`` checks its fields::

    def __post_init__(self) -> None:
        require_whole(self, 1, "n_factors", "epochs")
        require_positive(self, "learning_rate")

The first field that breaks its limit raises ValueError, ``"epochs=0: expected a whole number of at least 1"``; the
command line puts the plugin's name before it. None passes, as it leaves the value to something else: a field that must
not be None has no None in its annotation, which is checked before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

# Threads that a cell may be given. Where the system refuses to start one of more, OpenMP ends the process.
MOST_THREADS = 1024


def require_at_least(plugin: Any, low: float, *names: str) -> None:
    """Raise ValueError unless the fields ``names`` are finite numbers of at least ``low``."""
    require(
        plugin, lambda value: _is_number(value) and low <= value < math.inf, f"a number of at least {low:g}", *names
    )


def require_whole(plugin: Any, low: int, *names: str) -> None:
    """Raise ValueError unless the fields ``names`` are whole numbers of at least ``low``."""
    expected = f"a whole number of at least {low}"
    require(plugin, lambda value: _is_number(value, Integral) and value >= low, expected, *names)


def require_positive(plugin: Any, *names: str) -> None:
    """Raise ValueError unless the fields ``names`` are finite numbers above 0."""
    require(plugin, lambda value: _is_number(value) and 0 < value < math.inf, "a number above 0", *names)


def require_unit_interval(plugin: Any, *names: str) -> None:
    """Raise ValueError unless the fields ``names`` are numbers from 0 to 1."""
    require(plugin, lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1", *names)


def require_fraction(plugin: Any, *names: str) -> None:
    """Raise ValueError unless the fields ``names`` are numbers between 0 and 1, both excluded."""
    require(plugin, lambda value: _is_number(value) and 0 < value < 1, "a number above 0 and below 1", *names)


def require_choice(plugin: Any, choices: Sequence[str], *names: str) -> None:
    """Raise ValueError unless the fields ``names`` are among ``choices``."""
    require(plugin, lambda value: value in choices, " or ".join(map(repr, choices)), *names)


def require(plugin: Any, holds: Callable[[Any], bool], expected: str, *names: str) -> None:
    """Raise ValueError for the first of the fields ``names`` whose value is not None and fails ``holds``.

    ``expected`` completes the message "NAME=VALUE: expected ...".
    """
    for name in names:
        value = getattr(plugin, name)
        if value is not None and not holds(value):
            raise ValueError(f"{name}={value!r}: expected {expected}")


def _is_number(value: object, kind: type = Real) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # numbers of numpy are, numpy's True is not

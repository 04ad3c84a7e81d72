"""Global random state: it belongs to the whole process, so plugins must leave it alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

# By module, the functions that return its global generator's state, set it, and draw from it once when called with 1.
_GENERATORS = {
    "random": ("getstate", "setstate", "getrandbits"),
    "numpy.random": ("get_state", "set_state", "random"),
    "torch": ("get_rng_state", "set_rng_state", "rand"),
}


def global_state_moves(action: Callable[[], object]) -> list[str]:
    """Return the modules whose global generator ``action`` moves; all of them are set back at the end.

    They are drawn from first: a plugin that calls ``seed(0)`` would go unnoticed where the state already is that of 0.
    """
    modules = sys.modules | {"random": random, "numpy.random": np.random}  # which numpy imports when it is first used
    loaded = {
        name: [getattr(modules[name], function) for function in functions]
        for name, functions in _GENERATORS.items()
        if name in modules
    }
    kept = {name: get() for name, (get, _, _) in loaded.items()}
    try:
        for _, _, draw in loaded.values():
            draw(1)
        before = {name: get() for name, (get, _, _) in loaded.items()}
        action()
        return [name for name, (get, _, _) in loaded.items() if not _equal(before[name], get())]
    finally:
        for name, (_, restore, _) in loaded.items():
            restore(kept[name])


def _equal(first: Any, second: Any) -> bool:
    """Return whether two states are equal: arrays, or tuples of arrays and numbers."""
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(np.array_equal, first, second))
    return np.array_equal(first, second)

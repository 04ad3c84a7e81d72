"""The random state that belongs to the whole process, which plugins must leave alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def global_states() -> dict[str, Any]:
    """Return the states of the global generators, by library, in a form that can be compared."""
    # The legacy global state is read here because plugins must not move it.
    legacy: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    words, position = legacy["state"]["key"].tobytes(), legacy["state"]["pos"]
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy.random": (words, position, legacy["has_gauss"], legacy["gauss"]),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = bytes(torch.get_rng_state().numpy())
    return states


@contextmanager
def stirred_global_states() -> Iterator[None]:
    """Bring the global generators into a state that no fixed seed gives, and back at the end.

    A plugin that calls ``seed(0)`` would go unnoticed where the state already is that of 0.
    """
    torch = sys.modules.get("torch")
    kept = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002 - see above
    random.random()  # noqa: S311 - moves the state; nothing secret
    np.random.random()  # noqa: NPY002 - likewise
    if torch:
        torch.rand(1)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002 - see above
        if torch:
            torch.set_rng_state(kept[2])

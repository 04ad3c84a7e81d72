"""Limits of hyperparameters."""

from __future__ import annotations

import math
from typing import Any


def require_at_least(model: Any, low: float, *names: str) -> None:
    """Raise ValueError naming the first of ``model``'s fields ``names`` that is not finite and at least ``low``.

    None, which stands for another parameter's value, passes.
    """
    for name in names:
        value = getattr(model, name)
        if value is not None and not low <= value < math.inf:
            raise ValueError(f"{name}={value!r}: expected a number of at least {low:g}")


def require_positive(model: Any, *names: str) -> None:
    """Raise ValueError naming the first of ``model``'s fields ``names`` that is not finite and above 0."""
    for name in names:
        value = getattr(model, name)
        if not 0 < value < math.inf:
            raise ValueError(f"{name}={value!r}: expected a number above 0")

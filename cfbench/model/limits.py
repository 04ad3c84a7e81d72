"""What a model may demand of its hyperparameters, in one wording for all plugins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cfbench.errors import SpecError


def require_at_least(model: Any, low: float, *names: str) -> None:
    """Raise ValueError naming the first of ``model``'s fields ``names`` that is not finite and at least ``low``.

    None, which leaves the value to something else, passes; so in the other demands.
    """
    _require(model, names, f"a number of at least {low:g}", lambda value: low <= value < math.inf)


def require_positive(model: Any, *names: str) -> None:
    """Raise ValueError naming the first of ``model``'s fields ``names`` that is not finite and above 0."""
    _require(model, names, "a number above 0", lambda value: 0 < value < math.inf)


def require_share(model: Any, *names: str) -> None:
    """Raise ValueError naming the first of ``model``'s fields ``names`` that is not in [0, 1]."""
    _require(model, names, "a number from 0 to 1", lambda value: 0 <= value <= 1)


def _require(model: Any, names: Iterable[str], expected: str, holds: Callable[[Any], bool]) -> None:
    for name in names:
        value = getattr(model, name)
        if value is not None and not holds(value):
            raise ValueError(f"{name}={value!r}: expected {expected}")


def check_share(who: str, share: object) -> None:
    """Raise SpecError on behalf of plugin ``who`` unless ``share`` is a number above 0 and below 1."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise SpecError(f"{who}: share must be a number above 0 and below 1, got {share!r}")


def check_whole_number(who: str, name: str, value: object, *, at_least: int) -> None:
    """Raise SpecError unless parameter ``name`` is a whole number of at least ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise SpecError(f"{who}: {name} must be a whole number of at least {at_least}, got {value!r}")


def check_choice(who: str, name: str, value: object, choices: Sequence[str]) -> None:
    """Raise SpecError unless parameter ``name`` is one of ``choices``."""
    if value not in choices:
        raise SpecError(f"{who}: {name} must be {' or '.join(map(repr, choices))}, got {value!r}")

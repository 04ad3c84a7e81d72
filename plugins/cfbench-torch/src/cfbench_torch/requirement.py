"""What a hyperparameter must be, and the error that says so."""

from __future__ import annotations


def require(holds: bool, name: str, value: object, expected: str) -> None:
    """Raise ValueError naming the parameter unless ``holds``; ``expected`` completes "expected ..."."""
    if not holds:
        raise ValueError(f"{name}={value!r}: expected {expected}")


def require_size(name: str, value: object) -> None:
    """Require a whole number of at least 1."""
    require(isinstance(value, int) and not isinstance(value, bool) and value >= 1, name, value, "an integer >= 1")

"""What plugins of the core demand of their parameters, in one wording."""

from __future__ import annotations

from collections.abc import Sequence

from cfbench.errors import SpecError


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

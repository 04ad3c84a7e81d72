"""A new user's side information from ``key=value`` texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import SpecError, UnknownNameError, UsageError
from cfbench.model.features import Features, is_text

_FEW_VALUES = 60
_PARTS = "|"


def newcomer_features(text: str, known: Features | None) -> Features:
    """Return one row of features, e.g. of ``"age=24,occupation=student"`` or ``""``; what is not told is missing.

    Args:
        text: ``key=value`` pairs, separated by commas; several values of one key are joined by ``|``.
        known: what is known of the training users; decides which keys there are and which of them are numbers.

    Raises:
        UsageError: nothing is known of the data's users, so that nothing can be learned from it.
        SpecError: a part is not ``key=value``, a key comes twice, or a number is none.
        UnknownNameError: a key, or a value of a key with few values, that training does not have.
    """
    if known is None:
        raise UsageError("these data know nothing of their users beside ratings; give ratings: --ratings FILE.csv")
    given = _pairs(text, known.columns)
    return Features({name: _value(name, given.get(name, ""), column) for name, column in known.columns.items()})


def _pairs(text: str, known: Mapping[str, object]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in text.split(",") if text else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise SpecError(f"cannot read {part.strip()!r} of --features: expected key=value,key=value")
        if key not in known:
            raise UnknownNameError.among("feature", key, known)
        if key in pairs:
            raise SpecError(f"--features gives {key!r} twice; keep one")
        pairs[key] = value
    return pairs


def _value(name: str, text: str, column: NDArray[Any]) -> NDArray[Any]:
    """Return ``text`` as a column of one row, of the kind of ``column``."""
    if not is_text(column):
        return np.array([_number(name, text)], dtype=np.float32)
    values = sorted({part for entry in np.unique(column) for part in str(entry).split(_PARTS)} - {""})
    for part in text.split(_PARTS) if text else ():
        if len(values) <= _FEW_VALUES and part not in values:
            raise UnknownNameError.among(f"{name}", part, values)
    return np.array([text], dtype=np.str_)


def _number(name: str, text: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SpecError(f"--features: {name} expects a number, got {text!r}")
    return value

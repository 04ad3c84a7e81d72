"""Strict JSON, without what Python's reader accepts beyond the standard: for files that others may have changed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

_DEEPEST = 30  # lists and objects inside one another; ours are 8 deep
_LARGEST = 2**63 - 1
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes) -> Any:
    """Return what ``text``, in UTF-8 where it is bytes, says.

    Raises ValueError for anything but JSON as its standard has it, each name of an object once; for whole numbers
    beyond 64 bits, floats beyond their range, NaN, halves of characters, and nesting deeper than 30: they would be
    read, and fail far from here.
    """
    try:
        content = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            content, object_pairs_hook=_object, parse_constant=_float, parse_float=_float, parse_int=_whole
        )
        require_shallow(value)
        if _SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode()  # a half without its other half cannot be encoded
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a character") from None
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _float(text: str) -> float:
    value = float(text)
    if text in ("NaN", "Infinity", "-Infinity"):
        raise ValueError(f"{text} is no JSON")
    if not math.isfinite(value):
        raise ValueError(f"{_begun(text)} is beyond what a float can hold")
    return value


def _whole(text: str) -> int:
    value = int(text) if len(text) <= len(str(_LARGEST)) + 1 else _LARGEST + 1
    if abs(value) > _LARGEST:
        raise ValueError(f"{_begun(text)} has more than 64 bits")
    return value


def _begun(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:30]}..."


def require_shallow(value: Any) -> None:
    """Raise ValueError where lists and objects stand in one another more than 30 deep."""
    level = [value]
    for _ in range(_DEEPEST + 1):
        inside = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [part for parts in inside for part in parts]
        if not level:
            return
    raise ValueError("it is nested too deeply")

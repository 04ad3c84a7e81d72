"""Names that MLflow takes: letters, digits, ``_ - . :`` and spaces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

_ILLEGAL = re.compile(r"[^A-Za-z0-9_\-. :]")
_LONGEST = 250  # characters of a key


def legal(name: str) -> str:
    """Return the nearest legal name: ``NDCG@10`` is ``NDCG_at_10``, other characters become ``_``.

    A slash is legal for MLflow but opens a folder of metrics, so it is replaced too.
    """
    kept = _ILLEGAL.sub("_", name.replace("@", "_at_"))[:_LONGEST].strip()
    return kept if kept.strip(".") else f"_{kept}"


def with_legal_names(values: Mapping[str, T]) -> dict[str, T]:
    """Give every value a legal name of its own: those that would meet are numbered in order, ``_2``, ``_3`` ..."""
    named: dict[str, T] = {}
    for name, value in values.items():
        wanted = candidate = legal(name)
        number = 1
        while candidate in named:
            number += 1
            candidate = f"{wanted[: _LONGEST - 8]}_{number}"
        named[candidate] = value
    return named

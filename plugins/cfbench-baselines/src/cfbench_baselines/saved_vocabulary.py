"""A vocabulary among the arrays of a saved model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from cfbench.vocabulary import Vocabulary


def vocabulary_arrays(prefix: str, vocabulary: Vocabulary | None) -> dict[str, NDArray[Any]]:
    """Return an array for each column, its name behind ``prefix``; none where there is no vocabulary."""
    return {} if vocabulary is None else {prefix + name: marks for name, marks in vocabulary.marks.items()}


def vocabulary_among(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Vocabulary | None:
    """Find the vocabulary that :func:`vocabulary_arrays` put among ``arrays``, which are in the order of saving."""
    marks = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return Vocabulary(MappingProxyType(marks)) if marks else None

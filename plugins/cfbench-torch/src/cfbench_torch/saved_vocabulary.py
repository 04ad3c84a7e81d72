"""A vocabulary of features as a saved model keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from cfbench.saving import Fact
from cfbench.vocabulary import Vocabulary


def vocabulary_parts(vocabulary: Vocabulary) -> tuple[dict[str, NDArray[Any]], dict[str, Fact]]:
    """Describe a vocabulary as arrays and facts; columns are counted, as their names may be anything."""
    arrays = {f"marks_{number}": marks for number, marks in enumerate(vocabulary.marks.values())}
    return arrays, {"columns": list(vocabulary.marks)}


def vocabulary_of_parts(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Vocabulary:
    """Return what :func:`vocabulary_parts` described."""
    marks = {name: arrays[f"marks_{number}"] for number, name in enumerate(facts["columns"])}
    return Vocabulary(MappingProxyType(marks))

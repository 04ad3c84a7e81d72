"""What a saved model looks like on disk: arrays as ``.npz``, facts as JSON, never pickle.

A plugin's ``save`` and ``load`` are two calls::

    def save(self, directory: Path) -> None:
        save_parts(directory, "my-plugin.my-model.1", {"biases": self.biases_}, {"mean": self.mean_})

    @classmethod
    def load(cls, directory: Path) -> Self:
        arrays, facts = load_parts(directory, "my-plugin.my-model.1")
        ...

The digest of the arrays stands in the JSON and that of the facts beside them, so that torn, altered and foreign files
are refused. It is a seal against accidents and mix-ups, no signature: whoever can write the folder can write both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import StoreError
from cfbench.files.packed_arrays import read_arrays
from cfbench.files.plain_file import MEBIBYTE, read_plain, require_plain
from cfbench.files.strict_json import parse_json

Fact: TypeAlias = bool | int | float | str | list["Fact"] | dict[str, "Fact"] | None
"""What JSON can say. Floats come back to the bit; NaN and infinities have no place here."""

SCHEMA = 1
"""Version of the two files' form."""

_ARRAYS, _FACTS = "model.npz", "model.json"
_KINDS = "?biufcSUmM"  # numpy's letters for numbers and text
_LARGEST_FACTS = 1024 * MEBIBYTE
_LARGEST_ARRAYS = 1 << 40  # arrays are not packed: they take as much memory as their file takes of the disk


def save_parts(
    directory: Path, kind: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Fact] | None = None
) -> None:
    """Write a model's ``arrays`` and ``facts`` into ``directory``, which exists.

    Args:
        directory: gets the files ``model.npz`` and ``model.json``.
        kind: names plugin, model and version of what is written, e.g. ``"cfbench-torch.dot-bias.1"``; the same is asked
            for in :func:`load_parts`. Count up the version where the parts change.
        arrays: numbers or text of any shape, by name.
        facts: whatever else is needed, as JSON has it: whole numbers of up to 64 bits, nested up to 30 deep.

    Raises:
        TypeError: an array holds Python objects or structures, or a fact is nothing that JSON knows.
        ValueError: a fact is NaN, infinite, larger or deeper than that.
        OSError: the folder cannot be written.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.kind not in _KINDS:
            raise TypeError(f"array {name!r} of {kind} holds Python objects or structures; save numbers or text")
    told = parse_json(json.dumps(dict(facts or {}), allow_nan=False))  # what could not be read back is told now
    of_facts, path = _digest(told), directory / _ARRAYS
    np.savez(path, allow_pickle=False, **arrays)  # straight to disk: no second copy of arrays of gigabytes
    seal = {
        "schema_version": SCHEMA,
        "kind": kind,
        "arrays_sha256": file_sha256(path),
        "facts_sha256": of_facts,
        "facts": told,
    }
    (directory / _FACTS).write_text(json.dumps(seal, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load_parts(directory: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read back what :func:`save_parts` wrote: arrays equal to the bit, and facts.

    Raises:
        StoreError: a file is missing, torn or altered, or was written by another model, or by another version of it.
    """
    facts = _facts(directory / _FACTS, kind)
    path = directory / _ARRAYS
    try:
        require_plain(path, _LARGEST_ARRAYS)
        size, found = path.stat().st_size, file_sha256(path)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; save the model again") from error
    if found != facts["arrays_sha256"]:
        raise _refused(path, f"is not the file that {_FACTS} vouches for: torn, altered or from another model")
    try:
        return read_arrays(path, size), facts["facts"]
    except ValueError as error:
        raise _refused(path, f"holds no arrays: {error}") from error


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, read piece by piece; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: Path, kind: str) -> dict[str, Any]:
    """Read the JSON beside the arrays and check that it is whole and of ``kind``."""
    try:
        seal = parse_json(read_plain(path, _LARGEST_FACTS))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; a saved model is {_FACTS} and {_ARRAYS}") from error
    except ValueError as error:
        raise _refused(path, f"is no JSON: {error}") from error
    if not isinstance(seal, dict) or not isinstance(seal.get("facts"), dict) or "arrays_sha256" not in seal:
        raise _refused(path, "does not describe a saved model")
    if seal.get("schema_version") != SCHEMA:
        raise _refused(path, f"has schema {seal.get('schema_version')!r}, this cfbench reads {SCHEMA}")
    if seal.get("kind") != kind:
        raise _refused(path, f"describes {seal.get('kind')!r}, expected {kind!r}")
    if seal.get("facts_sha256") != _digest(seal["facts"]):
        raise _refused(path, "was altered after it was written")
    return seal


def _digest(facts: Mapping[str, Fact]) -> str:
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} {why}; it is refused: save the model again")

"""Saved models on disk: arrays as ``.npz``, facts as JSON, never pickle.

A model declares what it learns, and :class:`Saved` derives ``save`` and ``load`` from that::

    @dataclass
    class UserMean(Saved, kind="my-plugin.mean-of-user.1", means_=np.ndarray, n_items_=int):
        ...

Below it are :func:`save_parts` and :func:`load_parts`, which write and read arrays and facts by name. The digest of
the arrays stands in the JSON and that of the facts beside them, so that torn, altered and foreign files are refused. It
is a seal against accidents and mix-ups, no signature: whoever can write the folder can write both.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from inspect import formatannotation
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Literal, Self, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import CfbenchError, StoreError
from cfbench.files.guarded_reading import MEBIBYTE, parse_json, read_arrays, read_plain, require_plain

Fact: TypeAlias = bool | int | float | str | list["Fact"] | dict[str, "Fact"] | None
"""Values that JSON can hold. Floats come back to the bit; NaN and infinities are refused."""

SCHEMA = 1  # version of the two files' form

_ARRAYS, _FACTS = "model.npz", "model.json"
_KINDS = "?biufcSUmM"  # numpy's letters for numbers and text
_LARGEST_FACTS = 1024 * MEBIBYTE
_LARGEST_ARRAYS = 1 << 40  # arrays are not packed: they take as much memory as their file takes of the disk


class Saved:
    """Base of models (dataclasses) whose ``save`` and ``load`` are derived from declared state.

    The class header names the kind of the files, see :func:`save_parts`, and every attribute that ``fit`` learns, with
    its type: an array, a number, a text, a flat tuple, a dataclass of such parts, or ``PART | None``. A part that is
    neither gives itself by ``to_parts(self) -> Mapping[str, Any]`` and the class method ``from_parts(parts) -> Self``.
    Init fields are written too, so that ``load`` makes an equal instance. A base class in between may declare
    attributes without a kind; those of its subclasses are added to them.
    """

    _kind: ClassVar[str] = ""
    _state: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, *, kind: str = "", **state: Any) -> None:
        super().__init_subclass__()
        cls._kind, cls._state = kind or cls._kind, {**cls._state, **state}

    def save(self, directory: Path) -> None:
        """Write hyperparameters and what ``fit`` learned into ``directory``, which exists."""
        arrays: dict[str, NDArray[Any]] = {}
        state = {name: _packed(getattr(self, name), name, arrays) for name in self._state}
        save_parts(directory, self._kind, arrays, {"parameters": _packed(parameters_of(self), "", {}), "state": state})

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return a fitted model that answers as the saved one did; raises StoreError for any other files.

        Parameters and state must be those that the class declares, no more and no fewer, each of its declared type, and
        the model must answer the first user and item.
        """
        arrays, facts = load_parts(directory, cls._kind)
        try:
            for path, array in arrays.items():
                *parents, name = path.split(".")
                parts = facts["state"]
                for parent in parents:
                    parts = parts[parent]
                parts[name] = array
            model = cls(**_all_restored(_init_hints(cls), facts["parameters"], "parameters"))
            for name, value in _all_restored(cls._state, facts["state"], "state").items():
                setattr(model, name, value)
            model.after_load()
            _require_answers(model)
        except (CfbenchError, MemoryError):
            raise  # of this machine they tell, or what to do about it
        except Exception as error:  # an author's code may raise anything at what it cannot be made of
            raise _refused(directory, f"holds other parts than a model of {cls._kind!r} has: {error!r}") from error
        return model

    def after_load(self) -> None:
        """Derive attributes that are not written from those that are."""


def parameters_of(model: Any) -> dict[str, Any]:
    """Return the hyperparameters (init fields) of ``model``, a dataclass, by name."""
    return {field.name: getattr(model, field.name) for field in fields(model) if field.init}


def _packed(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Fact:
    """Return ``value`` as JSON has it; arrays go into ``arrays`` instead, by ``path`` and names joined with dots."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return None
    if isinstance(value, list | tuple):
        return list(value)
    if hasattr(value, "to_parts"):
        value = value.to_parts()
    elif is_dataclass(value):
        value = parameters_of(value)
    if isinstance(value, Mapping):
        return {name: _packed(part, f"{path}.{name}", arrays) for name, part in value.items()}
    return value  # type: ignore[no-any-return]  # save_parts refuses what JSON does not know


def _require_answers(model: Any) -> None:
    """Raise ValueError unless predictions and scores of the first user have the form that the contract says."""
    first = np.zeros(1, dtype=np.int32)
    for method, codes, n_axes in (("predict", (first, first), 1), ("score_items", (first,), 2)):
        if hasattr(model, method):
            answer = np.asarray(getattr(model, method)(*codes))
            if answer.ndim != n_axes or len(answer) != 1 or answer.dtype.kind != "f":
                raise ValueError(f"{method} gives {answer.dtype} of shape {answer.shape} for one user")


def _init_hints(cls: Any) -> dict[str, Any]:
    """Return the types of a dataclass's init fields by name, Any for those that only type checkers can resolve."""
    hints: dict[str, Any] = {}
    with suppress(NameError):
        hints = get_type_hints(cls)
    return {field.name: hints.get(field.name, Any) for field in fields(cls) if field.init}


def _all_restored(hints: Mapping[str, Any], parts: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return values of these types by name; raises ValueError where ``parts`` have other names."""
    _require_names(parts, hints, path)
    return {name: _restored(hint, parts[name], f"{path}.{name}") for name, hint in hints.items()}


def _require_names(found: Mapping[str, Any], known: Mapping[str, Any], path: str) -> None:
    if found.keys() != known.keys():
        missing, unknown = sorted(known.keys() - found.keys()), sorted(found.keys() - known.keys())
        raise ValueError(f"{path} lacks {missing} and has {unknown}, which are unknown")


def _restored(hint: Any, part: Any, path: str) -> Any:
    """Return a value of type ``hint`` from what :func:`_packed` made of it, arrays being back in their places.

    Raises TypeError or ValueError where it is none, and what the classes of parts raise.
    """
    kind, options = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        for option in options[:0:-1]:  # what is wrong is said of the first
            with suppress(LookupError, TypeError, ValueError):
                return _restored(option, part, path)
        return _restored(options[0], part, path)
    value = part
    if isinstance(part, dict) and hasattr(kind, "from_parts"):
        value = kind.from_parts(part)
        _require_names(part, value.to_parts(), path)
    elif isinstance(part, dict) and isinstance(kind, type) and is_dataclass(kind):
        value = kind(**_all_restored(_init_hints(kind), part, path))
    elif isinstance(part, list):
        types = options if kind is tuple and Ellipsis not in options else options[:1] * len(part)
        restored = (_restored(one, item, path) for one, item in zip(types or [Any] * len(part), part, strict=True))
        value = list(restored) if kind is list else tuple(restored)
    if not _fits(value, kind, options):
        found = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else reprlib.repr(value)
        raise TypeError(f"{path} is {found}, expected {formatannotation(hint)}")
    return value


def _fits(value: Any, kind: Any, options: Sequence[Any]) -> bool:
    """Return whether a value is of type ``kind[options]``, as far as that can be seen without looking inside."""
    if kind is np.ndarray and isinstance(value, np.ndarray) and options:
        sizes, scalar = get_args(options[0]), get_args(options[1])[0]
        found, wanted = value.dtype.type, get_origin(scalar) or scalar
        # Types of numpy's scalars are of one kind if they have one base, as np.float32 and np.float64 have np.floating.
        known = np.generic in getattr(wanted, "__mro__", ())
        alike = not known or issubclass(found, wanted) or found.__mro__[1] is wanted.__mro__[1]
        return alike and (Ellipsis in sizes or not sizes or len(sizes) == value.ndim)
    if kind is Any or kind is Literal:
        return kind is Any or value in options
    return isinstance(value, int | float if kind is float else kind) and (kind is bool or not isinstance(value, bool))


def save_parts(
    directory: Path, kind: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Fact] | None = None
) -> None:
    """Write a model's ``arrays`` and ``facts`` into ``directory``, which exists.

    Args:
        directory: gets the files ``model.npz`` and ``model.json``.
        kind: plugin, model and version of what is written, e.g. ``"my-plugin.my-model.1"``; :func:`load_parts` is
            called with the same. Increase the version where the parts change.
        arrays: numbers or text of any shape, by name.
        facts: everything else, in JSON: whole numbers of up to 64 bits, nested up to 30 deep.

    Raises:
        TypeError: an array holds Python objects or structures, or a fact is of no JSON type.
        ValueError: a fact is NaN, infinite, larger or deeper than that.
        OSError: the folder cannot be written.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.kind not in _KINDS:
            raise TypeError(f"array {name!r} of {kind} holds Python objects or structures; save numbers or text")
    # Facts that could not be read back are refused now, not when the model is needed again.
    written = parse_json(json.dumps(dict(facts or {}), allow_nan=False))
    of_facts, path = _digest(written), directory / _ARRAYS
    np.savez(path, allow_pickle=False, **arrays)  # straight to disk: no second copy of arrays of gigabytes
    seal = {"schema_version": SCHEMA, "kind": kind, "arrays_sha256": file_sha256(path), "facts_sha256": of_facts}
    text = json.dumps(seal | {"facts": written}, indent=1, allow_nan=False)
    (directory / _FACTS).write_text(text + "\n", encoding="utf-8")


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
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _refused(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} {why}; it is refused: save the model again")

"""Folder of a run: one record and one file of raw output per cell.

::

    runs/<suite>/cells/<key>.json   the record, sealed; its presence says that the cell is done
    runs/<suite>/cells/<key>.npz    the raw output
    runs/<suite>/cells/<key>.lock   there while a run computes the cell
    runs/<suite>/logs/<key>.log     what the model printed
    runs/<suite>/suite.json         what the last run was asked for
    runs/<suite>/records.jsonl      all records of the last run with its summaries and comparisons

A record's file begins with the sha256 of all that follows in it, which includes the sha256 of the output: files that
are torn, altered by hand, swapped or written by another version are detected. That protects against accidents and
mix-ups. It is no signature: whoever can write the folder can write another digest.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from cfbench.data.splits.split import Split
from cfbench.errors import CfbenchError, StoreError, UsageError
from cfbench.files.atomic import clear_leftovers, confined, replacing, unwritable, write_text
from cfbench.files.guarded_reading import MEBIBYTE, open_plain, parse_json, read_arrays, read_plain, require_plain
from cfbench.files.locks import LockFile
from cfbench.inference.output import ModelOutput, OutputSizes
from cfbench.inference.output_rules import mistakes_in, sizes_of
from cfbench.records.cell import SCHEMA, Cell
from cfbench.records.record import Line, Record, Standing
from cfbench.resources.cost import machine_bytes

_LARGEST_RECORD = 64 * MEBIBYTE  # the longest learning curve has one
_LARGEST_LINES = 1024 * MEBIBYTE
_LARGEST_LOG = 8 * MEBIBYTE  # what a cell prints is cut before
_LARGEST_OUTPUT = 8192 * MEBIBYTE  # predictions of a billion test rows have 4 GiB
_HEADERS = 10_000  # bytes, of all arrays
_LOCKS = "[0-9a-f]" * 32 + ".lock"
_SEAL = b'{\n "seal": "%s",\n'
_SEALED_FROM = len(_SEAL % (b"0" * 64))


@dataclass(frozen=True)
class _Stored:
    """Content of a record's file: the record, bound to its raw output by the digest of that."""

    record: Record
    answers_sha256: str


# Building a validator takes pydantic milliseconds, so that each is made once, and only where it is needed.
@cache
def _stored_form() -> TypeAdapter[_Stored]:
    return TypeAdapter(_Stored)


@cache
def _line_form() -> TypeAdapter[Line]:
    return TypeAdapter(Annotated[Line, Field(discriminator="kind")])


class RunFolder:
    """Folder of one run: the files in it, written and read."""

    def __init__(self, path: Path) -> None:
        """Take the folder's path; it is made when first written to."""
        self.path = path
        self.records_path = path / "records.jsonl"
        self.suite_path = path / "suite.json"

    def keep_log(self, cell: Cell, printed: Path) -> None:
        """Keep what a cell printed in place of an earlier log; no file where it printed nothing.

        Raises StoreError where that cannot be written.
        """
        path = confined(self.path, "logs", f"{cell.key}.log")
        text = b""
        with suppress(OSError), open_plain(printed) as file:
            text = file.read(_LARGEST_LOG)
        try:
            if not text:
                path.unlink(missing_ok=True)
                return
            with replacing(path) as kept:
                kept.write(text)
        except OSError as error:
            raise unwritable(path, error) from error

    def version_of(self, cell: Cell) -> tuple[int, int] | None:
        """Return a value that changes whenever the cell's record is written, None where there is no record."""
        try:
            state = self._path(cell, "json").lstat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_ino

    def clear_leftovers(self) -> None:
        """Remove files that killed runs have left half written, and their locks.

        Raises StoreError where a folder is a link that leads out.
        """
        for path in (self.records_path, *(confined(self.path, name, "any") for name in ("cells", "logs"))):
            clear_leftovers(path.parent)
        clear_abandoned(self.path / "cells")

    def save_suite(self, text: str) -> None:
        """Write ``suite.json``, what the run was asked for; the folder is made."""
        write_text(self.suite_path, text)

    def save(self, record: Record, output: ModelOutput | None) -> None:
        """Write output, then the record that holds its digest: a record on the disk always has its output.

        Raises ValueError, before anything is written, where the record could not be read back.
        """
        path, packed = self._path(record.cell, "json"), b"" if output is None else _packed(output.arrays())
        stored = _Stored(record, hashlib.sha256(packed).hexdigest())
        data = _sealed(_stored_form().dump_json(stored, indent=1))
        _unsealed(data, path)
        if output is not None:
            with replacing(self._path(record.cell, "npz")) as file:
                file.write(packed)
        with replacing(path) as file:
            file.write(data)

    def load(
        self, cell: Cell, split_of: Callable[[Cell], Split] | None = None
    ) -> tuple[Record, ModelOutput | None] | None:
        """Return the finished record and output of ``cell``, or None where there are none.

        With ``split_of``, which gives its split, the output keeps the rules of arriving output, the sizes first.

        Raises StoreError where the files are torn, damaged, altered, of another version or of another cell, UsageError
        where there are folders in their place.
        """
        path, output_path = self._path(cell, "json"), self._path(cell, "npz")
        if not path.exists():
            return None
        for place in (path, output_path):
            if place.is_dir():  # it could not be replaced once the cell is computed
                raise UsageError(f"{place} is a folder where a file of the run belongs; remove it")
        stored = _read_stored(path, cell.key)
        if stored.record.status != "ok":
            return stored.record, None
        split = None if split_of is None else split_of(cell)
        output = _read_output(output_path, stored, None if split is None else sizes_of(split, cell.list_length))
        if split is not None:
            require_output_of(split, cell, output)
        return stored.record, output

    def sealed_record(self, cell: Cell) -> Record | None:
        """Return the record of ``cell`` without its output, None where there is none; raises StoreError as ``load``."""
        path = self._path(cell, "json")
        return _read_stored(path, cell.key).record if path.exists() else None

    def all_records(self, note: Callable[[str], None]) -> list[Record]:
        """Return every record in the folder that can be trusted, by key; for a run that was cut off.

        ``note`` is called with the reason for each of the others.
        """
        found = []
        for path in sorted((self.path / "cells").glob("*.json")):
            try:
                found.append(_read_stored(path, path.stem).record)
            except StoreError as error:
                note(f"{error}; it is passed over")
        return found

    def write_lines(self, lines: Iterable[Line]) -> None:
        """Write ``records.jsonl``."""
        texts = (_line_form().dump_json(line).decode() for line in lines)
        write_text(self.records_path, "".join(f"{text}\n" for text in texts))

    def _path(self, cell: Cell, suffix: str) -> Path:
        return confined(self.path, "cells", f"{cell.key}.{suffix}")


@dataclass
class CellLocks:
    """The cells of a run's folder that this process has locked.

    Locks are the kernel's (``flock``): a run that is killed loses its locks at once, and no clock is compared. On a
    file system without locks every call succeeds: two runs may then compute a cell twice, which costs time alone.

    Attributes:
        folder: where the lock files lie, ``<key>.lock`` each; made when first needed.
    """

    folder: Path
    _held: dict[str, LockFile] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return the locks themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release all locks."""
        for key in list(self._held):
            self.release(key)

    def acquire(self, key: str) -> bool:
        """Lock a cell; return whether this process holds its lock now, False where another run does.

        Raises StoreError where the folder cannot be written.
        """
        if key not in self._held:
            path = self.folder / f"{key}.lock"
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = LockFile.take(path)
            except OSError as error:
                raise unwritable(path, error) from error
            if lock is None:
                return False
            self._held[key] = lock
        return True

    def release(self, key: str) -> None:
        """Release the lock on a cell, which this process holds."""
        self._held.pop(key).release()


def clear_abandoned(folder: Path) -> None:
    """Remove the lock files that killed runs have left in ``folder``, where no run may ask for their cells again."""
    for path in folder.glob(_LOCKS):
        with suppress(OSError):
            lock = LockFile.take(path)
            if lock is not None:
                lock.release()


def read_lines(path: Path, note: Callable[[str], None] | None = None) -> Sequence[Line]:
    """Return the lines of a ``records.jsonl``.

    Those that cannot be trusted are left out where there is ``note``, which is called with a message about each; else
    the first of them raises StoreError. So does a file that cannot be read.
    """
    return [line for _, line in numbered_lines(path, note)]


def numbered_lines(path: Path, note: Callable[[str], None] | None = None) -> Sequence[tuple[int, Line]]:
    """Return the lines of a ``records.jsonl`` as :func:`read_lines` does, each with its number, from 1 on."""
    lines = []
    with _refusing(path, "cannot be read"):
        content = read_plain(path, _LARGEST_LINES).removesuffix(b"\n")
    for number, text in enumerate(content.split(b"\n") if content else (), 1):
        try:
            with _refusing(f"{path}, line {number}", "is not a record"):
                _require_schema(parse_json(text))
                line = _line_form().validate_json(text, strict=True)
                _require_possible(line)
            lines.append((number, line))
        except StoreError as error:
            if note is None:
                raise
            note(f"{error}; it is left out")
    return lines


@contextmanager
def _refusing(source: Path | str, fault: str) -> Iterator[None]:
    """Raise StoreError about ``source`` where it cannot be read, or is not what it should be."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{source} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # pydantic's ValidationError is one
        raise StoreError(f"{source} {fault}: {first_mistake(error)}") from error


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return an ``.npz`` file; floats are stored as they are: to deflate them took half of what a cell costs us."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, array in ((f"{name}.npy", array) for name, array in arrays.items()):
            member = zipfile.ZipInfo(name) if array.dtype.kind == "f" else name  # the first is stored
            with file.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
    return buffer.getvalue()


def _require_schema(content: object) -> None:
    """Raise ValueError where a JSON value was written by another version of the stored form."""
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and 0 < version < SCHEMA:
        raise ValueError(
            f"written by an earlier cfbench (schema {version}, this one reads {SCHEMA}); start the same run again"
        )
    if version != SCHEMA:
        raise ValueError(f"schema {version!r:.30}, this cfbench reads {SCHEMA}")


def _require_possible(line: Line) -> None:
    """Raise ValueError where values have the right types, but no run could have written them."""
    if isinstance(line, Record):
        cell = line.cell
        if cell.threads < 1 or cell.repeat < 0 or cell.list_length < 0 or (cell.n_given or 0) < 0:
            raise ValueError("its cell counts below zero, or has no thread")
        try:
            _ = cell.key  # hashes the model's text, which must be readable
        except CfbenchError as error:
            raise ValueError(f"its cell has no readable model: {error}") from error
    if isinstance(line, Standing):
        models = len(line.mean_ranks)
        if not all(1 <= rank <= models for rank in line.mean_ranks.values()):
            raise ValueError(f"mean_ranks: expected ranks from 1 to {models}")
        if not 0 <= line.critical_difference < math.inf:
            raise ValueError("critical_difference: expected a number of at least 0")


def _sealed(content: bytes) -> bytes:
    """Put the digest of what follows at the head of a JSON object that was written with one blank of indentation."""
    rest = content.removeprefix(b"{\n")
    return _SEAL % hashlib.sha256(rest).hexdigest().encode() + rest


def _read_stored(path: Path, key: str) -> _Stored:
    """Return what a record's file holds; raises StoreError where it was altered, or is not about the cell ``key``."""
    with _refusing(path, "is not a readable record"):
        stored = _unsealed(read_plain(path, _LARGEST_RECORD), path)
    if stored.record.cell.key != key:
        raise StoreError(f"{path} belongs to another cell or to another version of cfbench")
    return stored


def _unsealed(data: bytes, path: Path | str) -> _Stored:
    """Return what the bytes of a record's file say; raises StoreError, ValueError or OSError where they cannot be."""
    if len(data) > _LARGEST_RECORD:
        raise ValueError(f"it has more than {_LARGEST_RECORD // MEBIBYTE} MiB")
    if _sealed(b"{\n" + data[_SEALED_FROM:]) != data:
        raise StoreError(
            f"{path} is not as it was sealed: torn, altered by hand, or written by another version of cfbench"
        )
    content = parse_json(data)  # bounds what pydantic would take: depth, size of numbers, names that stand twice
    _require_schema(content.get("record") if isinstance(content, dict) else None)
    stored = _stored_form().validate_json(data, strict=True)
    _require_possible(stored.record)
    return stored


def _read_output(path: Path, stored: _Stored, sizes: OutputSizes | None) -> ModelOutput:
    """Return the raw output of a record, of the bytes whose digest was taken."""
    most = machine_bytes() // 2 if sizes is None else sizes.most_bytes + _HEADERS
    with _refusing(path, "holds no readable answers"):
        require_plain(path, _LARGEST_OUTPUT)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != stored.answers_sha256:
                raise StoreError(f"{path} has another sha256 than its record states")
            limits = (min(_LARGEST_OUTPUT, most), *(() if sizes is None else (sizes.require,)))
            return ModelOutput.of(read_arrays(file, *limits))


def require_output_of(split: Split, cell: Cell, output: ModelOutput) -> None:
    """Raise StoreError where ``output`` of ``cell`` is none that cfbench would have made on ``split``.

    What cfbench wrote always passes; a results folder from elsewhere may hold anything under a valid digest.
    """
    for mistake in mistakes_in(output, split, cell.list_length):
        raise StoreError(f"the stored answers of {cell} are none to the questions of its split: {mistake}")


def first_mistake(error: Exception) -> str:
    """Return the first mistake that ``error`` is about, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return (str(error).splitlines() or [type(error).__name__])[0]

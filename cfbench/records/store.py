"""A run's folder: one immutable record and one file of raw answers per cell.

::

    runs/<suite>/cells/<key>.json   the record, sealed; its presence says that the cell is done
    runs/<suite>/cells/<key>.npz    the raw answers
    runs/<suite>/logs/<key>.log     what the model printed
    runs/<suite>/suite.json         what the last run was asked for
    runs/<suite>/records.jsonl      all records of the last run with its summaries and comparisons

A record's file begins with the sha256 of all that follows in it, and that holds the sha256 of the answers: what was
torn, altered by hand, swapped or written by another version is detected. It is a seal against accidents and mix-ups, no
signature: whoever can write the folder can write another seal.
"""

from __future__ import annotations

import hashlib
import io
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from cfbench.errors import CfbenchError, StoreError, UsageError
from cfbench.files.atomic import clear_leftovers, replacing, unwritable, write_text
from cfbench.files.confined import confined
from cfbench.files.packed_arrays import read_arrays
from cfbench.files.plain_file import MEBIBYTE, read_plain, require_plain
from cfbench.files.strict_json import parse_json
from cfbench.inference.output import ModelOutput
from cfbench.model.saving import file_sha256
from cfbench.records.cell_locks import clear_abandoned
from cfbench.records.lines import Line, Standing
from cfbench.records.record import SCHEMA, Cell, Record
from cfbench.resources.memory import machine_bytes

_LARGEST_RECORD = 64 * MEBIBYTE  # a learning curve of a hundred thousand epochs has 10
_LARGEST_LINES = 1024 * MEBIBYTE
_LARGEST_ANSWERS = 8192 * MEBIBYTE  # predictions of a billion test rows have 4 GiB
_SEAL = b'{\n "seal": "%s",\n'
_SEALED_FROM = len(_SEAL % (b"0" * 64))


@dataclass(frozen=True)
class _Stored:
    """A record as it lies on the disk, bound to its answers."""

    record: Record
    answers_sha256: str


@cache
def _stored_form() -> TypeAdapter[_Stored]:
    return TypeAdapter(_Stored)


@cache
def _line_form() -> TypeAdapter[Line]:
    return TypeAdapter(Annotated[Line, Field(discriminator="kind")])


class RunFolder:
    """Reads and writes one run's folder."""

    def __init__(self, path: Path) -> None:
        """Take the folder's path; it is made when first written to."""
        self.path = path
        self.records_path = path / "records.jsonl"
        self.suite_path = path / "suite.json"

    def keep_log(self, cell: Cell, printed: Path) -> None:
        """Keep what a cell printed in place of an earlier log; nothing where it printed nothing.

        Raises StoreError where that cannot be written.
        """
        path = confined(self.path, "logs", f"{cell.key}.log")
        try:
            if not printed.exists() or not printed.stat().st_size:
                path.unlink(missing_ok=True)
                return
            with printed.open("rb") as source, replacing(path) as file:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise unwritable(path, error) from error

    def version_of(self, cell: Cell) -> tuple[int, int] | None:
        """Return what changes whenever the cell's record is written, None where there is none."""
        try:
            state = self._path(cell, "json").lstat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_ino

    def clear_leftovers(self) -> None:
        """Remove what killed runs have left half written, and their locks.

        Raises StoreError where a folder is a link that leads out.
        """
        for path in (self.records_path, *(confined(self.path, name, "any") for name in ("cells", "logs"))):
            clear_leftovers(path.parent)
        clear_abandoned(self.path / "cells")

    def save_suite(self, text: str) -> None:
        """Write down what the run was asked for; the folder is made."""
        write_text(self.suite_path, text)

    def save(self, record: Record, answers: ModelOutput | None) -> None:
        """Write answers, then the record that vouches for them."""
        data = _packed(answers) if answers is not None else b""
        if answers is not None:
            with replacing(self._path(record.cell, "npz")) as file:
                file.write(data)
        stored = _Stored(record, hashlib.sha256(data).hexdigest())
        with replacing(self._path(record.cell, "json")) as file:
            file.write(_sealed(_stored_form().dump_json(stored, indent=1)))

    def load(self, cell: Cell) -> tuple[Record, ModelOutput | None] | None:
        """Return the finished record and answers of ``cell``, or None where there are none.

        Raises StoreError where the files are torn, damaged, altered, of another version or of another cell, UsageError
        where there are folders in their place.
        """
        path = self._path(cell, "json")
        if not path.exists():
            return None
        for place in (path, self._path(cell, "npz")):
            if place.is_dir():  # it could not be replaced once the cell is computed
                raise UsageError(f"{place} is a folder where a file of the run belongs; remove it")
        stored = _read_stored(path)
        if stored.record.cell.key != cell.key:
            raise _foreign(path)
        if stored.record.status != "ok":
            return stored.record, None
        return stored.record, _read_answers(self._path(cell, "npz"), stored.answers_sha256)

    def all_records(self, note: Callable[[str], None]) -> list[Record]:
        """Return every record in the folder that can be trusted, by key; for a run that was cut off.

        ``note`` is told of the others, each with the reason.
        """
        found = []
        for path in sorted((self.path / "cells").glob("*.json")):
            try:
                record = _read_stored(path).record
                if record.cell.key != path.stem:
                    raise _foreign(path)
            except StoreError as error:
                note(f"{error}; it is passed over")
            else:
                found.append(record)
        return found

    def write_lines(self, lines: Iterable[Line]) -> None:
        """Write the consolidated file of a run."""
        texts = (_line_form().dump_json(line).decode() for line in lines)
        write_text(self.records_path, "".join(f"{text}\n" for text in texts))

    def _path(self, cell: Cell, suffix: str) -> Path:
        return confined(self.path, "cells", f"{cell.key}.{suffix}")


def read_lines(path: Path) -> Sequence[Line]:
    """Read a consolidated ``records.jsonl``; raises StoreError naming the line that is not one of ours."""
    lines = []
    try:
        content = read_plain(path, _LARGEST_LINES).decode().removesuffix("\n")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    for number, text in enumerate(content.split("\n") if content else (), 1):  # splitlines would end at U+2028
        try:
            lines.append(_line(text))
        except (ValueError, CfbenchError) as error:
            raise StoreError(f"{path}, line {number} is not a record: {first_mistake(error)}") from error
    return lines


def _line(text: str) -> Line:
    told = parse_json(text)
    version = told.get("schema_version") if isinstance(told, dict) else None
    if version != SCHEMA:
        raise StoreError(f"schema {version!r:.30}, this cfbench reads {SCHEMA}")
    line = _line_form().validate_json(text, strict=True)
    if isinstance(line, Record):
        _require_readable(line.cell)
    if isinstance(line, Standing):
        _require_ranks(line)
    return line


def _require_ranks(standing: Standing) -> None:
    """Raise ValueError where mean ranks or their critical difference are beyond what so many models can have."""
    models = len(standing.mean_ranks)
    if not all(1 <= rank <= models for rank in standing.mean_ranks.values()):
        raise ValueError(f"mean_ranks: expected ranks from 1 to {models}")
    if not 0 <= standing.critical_difference < math.inf:
        raise ValueError("critical_difference: expected a number of at least 0")


def _sealed(content: bytes) -> bytes:
    """Put the digest of what follows at the head of a JSON object that was written with one blank of indentation."""
    rest = content.removeprefix(b"{\n")
    return _SEAL % hashlib.sha256(rest).hexdigest().encode() + rest


def _read_stored(path: Path) -> _Stored:
    """Read a record's file; raises StoreError where it is not as it was written, or by another version."""
    try:
        data = read_plain(path, _LARGEST_RECORD)
    except OSError as error:
        raise _unreadable(path, error) from error
    if _sealed(b"{\n" + data[_SEALED_FROM:]) != data:
        raise StoreError(
            f"{path} is not as it was sealed: torn, altered by hand, or written by another version of cfbench"
        )
    try:
        parse_json(data)  # bounds what pydantic would take: depth, size of numbers, names that stand twice
        stored = _stored_form().validate_json(data, strict=True)
        if stored.record.schema_version != SCHEMA:
            raise _foreign(path)
        _require_readable(stored.record.cell)
    except ValueError as error:
        raise StoreError(f"{path} is not a readable record: {first_mistake(error)}") from error
    return stored


def _require_readable(cell: Cell) -> None:
    """Raise ValueError where a cell's coordinates are none that a run could have had."""
    if cell.threads < 1 or cell.repeat < 0 or cell.list_length < 0 or (cell.n_given or 0) < 0:
        raise ValueError("its cell counts below zero, or has no thread")
    try:
        assert cell.key
    except CfbenchError as error:
        raise ValueError(f"its cell has no readable model: {error}") from error


def _read_answers(path: Path, digest: str) -> ModelOutput:
    try:
        require_plain(path, _LARGEST_ANSWERS)
        found = file_sha256(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if found != digest:
        raise StoreError(f"{path} is not what its record vouches for")
    try:
        return ModelOutput.of(read_arrays(path, min(_LARGEST_ANSWERS, machine_bytes() // 2)))
    except ValueError as error:
        raise StoreError(f"{path} holds no readable answers: {error}") from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be read: {error.strerror or error}")


def _foreign(path: Path) -> StoreError:
    return StoreError(f"{path} belongs to another cell or to another version of cfbench")


def first_mistake(error: Exception) -> str:
    """Tell the first mistake in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return (str(error).splitlines() or [type(error).__name__])[0]


def _packed(answers: ModelOutput) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **answers.arrays())
    return buffer.getvalue()

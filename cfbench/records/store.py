"""A run's folder: one immutable record and one file of raw answers per cell.

::

    runs/<suite>/cells/<key>.json   the record; its presence says that the cell is done
    runs/<suite>/cells/<key>.npz    the raw answers
    runs/<suite>/logs/<key>.log     what the model printed
    runs/<suite>/suite.json         what the last run was asked for
    runs/<suite>/records.jsonl      all records of the last run with its summaries and comparisons
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from cfbench.answers import Answers
from cfbench.atomic import replacing, write_text
from cfbench.errors import StoreError
from cfbench.records.lines import Line
from cfbench.records.record import SCHEMA, Cell, Record


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

    def log_path(self, cell: Cell) -> Path:
        """Return where the cell's printed output goes; the folder is made."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{cell.key}.log"

    def save_suite(self, text: str) -> None:
        """Write down what the run was asked for; the folder is made."""
        write_text(self.suite_path, text)

    def save(self, record: Record, answers: Answers | None) -> None:
        """Write answers, then the record that vouches for them."""
        data = _packed(answers) if answers is not None else b""
        if answers is not None:
            with replacing(self._path(record.cell, "npz")) as file:
                file.write(data)
        stored = _Stored(record, hashlib.sha256(data).hexdigest())
        with replacing(self._path(record.cell, "json")) as file:
            file.write(_stored_form().dump_json(stored, indent=1))

    def load(self, cell: Cell) -> tuple[Record, Answers | None] | None:
        """Return the finished record and answers of ``cell``, or None where there are none.

        Raises StoreError where the files are torn, damaged, of another version or of another cell.
        """
        path = self._path(cell, "json")
        if not path.exists():
            return None
        try:
            stored = _stored_form().validate_json(path.read_bytes())
            answers_path = self._path(cell, "npz")
            data = answers_path.read_bytes() if stored.record.status == "ok" else b""
        except ValidationError as error:
            raise StoreError(f"{path} is not a readable record: {_mistake(error)}") from error
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be read: {error.strerror}") from error
        if stored.record.schema_version != SCHEMA or stored.record.cell.key != cell.key:
            raise StoreError(f"{path} belongs to another cell or to another version of cfbench")
        if stored.record.status != "ok":
            return stored.record, None
        if hashlib.sha256(data).hexdigest() != stored.answers_sha256:
            raise StoreError(f"{answers_path} is not what its record vouches for")
        return stored.record, _unpacked(data, answers_path)

    def all_records(self) -> list[Record]:
        """Return every readable record in the folder, by key; for a run that was cut off."""
        found = []
        for path in sorted((self.path / "cells").glob("*.json")):
            try:
                found.append(_stored_form().validate_json(path.read_bytes()).record)
            except ValidationError:
                continue
        return found

    def write_lines(self, lines: Iterable[Line]) -> None:
        """Write the consolidated file of a run."""
        texts = (_line_form().dump_json(line).decode() for line in lines)
        write_text(self.records_path, "".join(f"{text}\n" for text in texts))

    def _path(self, cell: Cell, suffix: str) -> Path:
        return self.path / "cells" / f"{cell.key}.{suffix}"


def read_lines(path: Path) -> Sequence[Line]:
    """Read a consolidated ``records.jsonl``; raises StoreError naming the line that is not one of ours."""
    lines = []
    try:
        content = path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    for number, text in enumerate(content.split("\n") if content else (), 1):  # splitlines would end at U+2028
        try:
            version = json.loads(text).get("schema_version")
            if version != SCHEMA:
                raise StoreError(f"{path}, line {number}: schema {version}, this cfbench reads {SCHEMA}")
            lines.append(_line_form().validate_json(text))
        except (ValueError, AttributeError) as error:
            raise StoreError(f"{path}, line {number} is not a record: {_mistake(error)}") from error
    return lines


def _mistake(error: Exception) -> str:
    """Tell the first mistake in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error).splitlines()[0]


def _packed(answers: Answers) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **answers.arrays())
    return buffer.getvalue()


def _unpacked(data: bytes, path: Path) -> Answers:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return Answers.of(arrays)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} holds no readable answers: {error}") from error

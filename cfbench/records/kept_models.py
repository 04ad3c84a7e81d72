"""Fitted models kept beside a run's records: the files that each wrote itself, and a list of their digests.

::

    runs/<suite>/models/<key>/saved/       what the model's ``save`` wrote
    runs/<suite>/models/<key>/model.json   whose it is, and every file's sha256
"""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cfbench.errors import StoreError
from cfbench.files.atomic import unwritable, write_text
from cfbench.files.confined import confined
from cfbench.files.plain_file import MEBIBYTE, read_plain
from cfbench.files.strict_json import parse_json
from cfbench.model.saving import file_sha256
from cfbench.records.record import Cell
from cfbench.registry.registry import Plugin

_SCHEMA = 2
_LARGEST_NOTE = 64 * MEBIBYTE
_AGAIN = "the same `cfbench run` with --save-models fits and saves it again"


@dataclass(frozen=True)
class _Note:
    """Content of ``model.json``."""

    schema_version: int
    key: str
    entry_point: str
    cell: Cell
    files: Mapping[str, str]


class ModelFolder:
    """The kept models of one run."""

    def __init__(self, run: Path) -> None:
        """Take the run's folder; nothing is made before a model is kept."""
        self.run, self.path = run, run / "models"

    def has(self, cell: Cell) -> bool:
        """Whether a model of ``cell`` is there, whole or not."""
        return self._note(cell).exists()

    def intact(self, cell: Cell) -> bool:
        """Whether a model of ``cell`` is there with all its files as they were written."""
        try:
            return _digests(self.path / cell.key / "saved") == dict(self._read_note(cell).files)
        except StoreError:
            return False

    def keep(self, cell: Cell, plugin: Plugin, saved: Path) -> Path:
        """Move the folder ``saved``, which the model of ``cell`` wrote, to its place; an earlier one is replaced.

        The note is written last: without it nothing is taken for a model. Raises StoreError where the folder cannot be
        written.
        """
        place = confined(self.run, "models", cell.key)
        try:
            if place.is_symlink():
                place.unlink()
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            shutil.move(saved, place / "saved")
            files = _digests(place / "saved")
            note = _Note(_SCHEMA, cell.key, plugin.value, cell, files)
            write_text(self._note(cell), json.dumps(asdict(note), indent=1) + "\n")
        except BaseException as error:
            shutil.rmtree(place, ignore_errors=True)  # without its note it is of no use, and may be what fills the disk
            if isinstance(error, OSError):  # shutil.Error, of a folder that could not be copied whole, is one too
                raise unwritable(place, error) from error
            raise
        return place

    def load(self, cell: Cell, plugin: Plugin) -> Any:
        """Return the fitted model of ``cell``, loaded by the class that ``plugin`` names.

        Raises:
            StoreError: there is none, it is another cell's, files are missing, altered or strange, or its class
                cannot read it.
            PluginError: the class cannot be imported.
        """
        note = self._read_note(cell)
        if note.schema_version != _SCHEMA or note.key != cell.key or note.entry_point != plugin.value:
            raise StoreError(f"{self._note(cell)} is about another model, or of another version of cfbench; {_AGAIN}")
        saved = self.path / cell.key / "saved"
        if _digests(saved) != dict(note.files):
            raise StoreError(f"{saved} has other files than {self._note(cell).name} states; it is refused: {_AGAIN}")
        cls = plugin.load()
        try:
            return cls.load(saved)
        except Exception as error:
            raise StoreError(f"{cell.model} cannot be loaded from {saved}: {type(error).__name__}: {error}") from error

    def _read_note(self, cell: Cell) -> _Note:
        path = self._note(cell)
        try:
            data = read_plain(path, _LARGEST_NOTE)
            parse_json(data)
            return TypeAdapter(_Note).validate_json(data, strict=True)
        except OSError as error:
            raise StoreError(f"there is no saved model of {cell}: {path}: {error.strerror}") from error
        except ValueError as error:  # pydantic's ValidationError is one
            raise StoreError(f"{path} is no note of a saved model; it is refused: {_AGAIN}") from error

    def _note(self, cell: Cell) -> Path:
        return self.path / cell.key / "model.json"


def _digests(folder: Path) -> dict[str, str]:
    """Return sha256 of every file below ``folder``; raises StoreError where something is no plain file."""
    found = {}
    try:
        for path in (folder, *sorted(folder.rglob("*"))):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                found[path.relative_to(folder).as_posix()] = file_sha256(path)
            elif not stat.S_ISDIR(mode):
                raise StoreError(f"{path} is no plain file; a saved model has nothing else")
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be read: {error.strerror}; {_AGAIN}") from error
    return found

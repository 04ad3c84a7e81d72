"""Fitted models kept beside a run's records: the files that each wrote itself, and a list of their digests.

::

    runs/<suite>/models/<key>/saved/       what the model's ``save`` wrote
    runs/<suite>/models/<key>/model.json   the manifest: whose it is, and every file's sha256

A model that saves itself by :mod:`cfbench.model.saving` has another ``model.json``, of facts, in ``saved/``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cfbench.errors import StoreError
from cfbench.files.atomic import confined, unwritable, write_text
from cfbench.files.guarded_reading import MEBIBYTE, parse_json, plain_files, read_plain
from cfbench.model.saving import file_sha256
from cfbench.records.cell import Cell
from cfbench.registry.registry import Plugin

_SCHEMA = 2
_LARGEST_MANIFEST = 64 * MEBIBYTE
_MANIFEST = "model.json"
_AGAIN = "the same `cfbench run` with --save-models fits and saves it again"


@dataclass(frozen=True)
class _Manifest:
    """The manifest of a kept model, ``model.json``."""

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
        return (self.path / cell.key / _MANIFEST).exists()

    def intact(self, cell: Cell) -> bool:
        """Whether a model of ``cell`` is there with all its files as they were written."""
        try:
            return _digests(self.path / cell.key / "saved") == dict(self._read_manifest(cell).files)
        except StoreError:
            return False

    def keep(self, cell: Cell, plugin: Plugin, saved: Path) -> Path:
        """Move the folder ``saved``, which the model of ``cell`` wrote, to its place; an earlier one is replaced.

        The manifest is written last: without it nothing is taken for a model. Raises StoreError where the folder
        cannot be written.
        """
        folder = confined(self.run, "models", cell.key)
        try:
            plain_files(saved)  # what cannot be kept is not moved
            if folder.is_symlink():
                folder.unlink()
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            shutil.move(saved, folder / "saved")
            manifest = _Manifest(_SCHEMA, cell.key, plugin.value, cell, _digests(folder / "saved"))
            write_text(folder / _MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")
        except BaseException as error:
            # Without its manifest it is of no use, and may be what fills the disk.
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, ValueError):
                raise StoreError(f"the model of {cell} is not kept: {error}") from error
            if isinstance(error, OSError):  # shutil.Error, of a folder that could not be copied whole, is one too
                raise unwritable(folder, error) from error
            raise
        return folder

    def load(self, cell: Cell, plugin: Plugin) -> Any:
        """Return the fitted model of ``cell``, loaded by the class that ``plugin`` names.

        Raises:
            StoreError: there is none, it is another cell's, files are missing, altered or strange, or its class
                cannot read it.
            PluginError: the class cannot be imported.
        """
        manifest = self._read_manifest(cell)
        if manifest.schema_version != _SCHEMA or manifest.key != cell.key or manifest.entry_point != plugin.value:
            path = self.path / cell.key / _MANIFEST
            raise StoreError(f"{path} is about another model, or of another version of cfbench; {_AGAIN}")
        saved = self.path / cell.key / "saved"
        if _digests(saved) != dict(manifest.files):
            raise StoreError(f"{saved} has other files than {_MANIFEST} states; it is refused: {_AGAIN}")
        cls = plugin.load()
        try:
            return cls.load(saved)
        except Exception as error:
            raise StoreError(f"{cell.model} cannot be loaded from {saved}: {type(error).__name__}: {error}") from error

    def _read_manifest(self, cell: Cell) -> _Manifest:
        path = self.path / cell.key / _MANIFEST
        try:
            data = read_plain(path, _LARGEST_MANIFEST)
            parse_json(data)
            return TypeAdapter(_Manifest).validate_json(data, strict=True)
        except OSError as error:
            raise StoreError(f"there is no saved model of {cell}: {path}: {error.strerror}") from error
        except ValueError as error:  # pydantic's ValidationError is one
            raise StoreError(f"{path} is no note of a saved model; it is refused: {_AGAIN}") from error


def _digests(folder: Path) -> dict[str, str]:
    """Return sha256 of every file below ``folder``; raises StoreError where something there is no saved model's."""
    try:
        return {path.relative_to(folder).as_posix(): file_sha256(path) for path in plain_files(folder)}
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be read: {error.strerror}; {_AGAIN}") from error
    except ValueError as error:
        raise StoreError(f"{error}; {_AGAIN}") from error

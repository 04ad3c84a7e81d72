"""Kept models come back, or are refused."""

import errno
import json
import os
from dataclasses import replace

import pytest

from cfbench.errors import PluginError, StoreError
from cfbench.records.cell import Cell
from cfbench.records.kept_models import ModelFolder
from cfbench.registry.registry import Plugin

CELL = Cell("d", "holdout", "", "f", "kept", {"n": 1}, "plugin", "1", "c", 0, 0, 10)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A model whose ``load`` returns the text of the one file that it saves."""
    (tmp_path / "keeping.py").write_text(
        "class Kept:\n    @classmethod\n    def load(cls, directory):\n        return (directory / 'a').read_text()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return Plugin("model", "kept", "keeping:Kept", "plugin", "1")


@pytest.fixture
def kept(tmp_path, plugin):
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a").write_text("learned")
    folder = ModelFolder(tmp_path / "run")
    folder.keep(CELL, plugin, saved)
    return folder


def test_a_kept_model_is_loaded_by_its_class(kept, plugin):
    assert kept.has(CELL)
    assert kept.load(CELL, plugin) == "learned"


def test_a_model_whose_note_cannot_be_written_is_removed_it_may_be_what_fills_the_disk(tmp_path, plugin, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "a").write_text("learned")
    folder = ModelFolder(tmp_path / "run")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device; free the disk"):
        folder.keep(CELL, plugin, tmp_path / "saved")
    assert not folder.has(CELL)
    assert not list(folder.path.iterdir())


def test_a_cell_without_a_model_says_so(kept, plugin):
    other = replace(CELL, repeat=1)
    assert not kept.has(other)
    with pytest.raises(StoreError, match="no saved model"):
        kept.load(other, plugin)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda place: (place / "saved" / "a").write_text("other"),
        lambda place: (place / "saved" / "a").unlink(),
        lambda place: (place / "saved" / "b").write_text("more"),
        lambda place: (place / "saved" / "b").symlink_to("/etc/hostname"),
        lambda place: (place / "model.json").write_text("{}"),
        lambda place: (place / "model.json").write_text("torn"),
    ],
)
def test_what_was_tampered_with_is_refused(kept, plugin, tamper):
    assert kept.intact(CELL)
    tamper(kept.path / CELL.key)
    assert not kept.intact(CELL)
    with pytest.raises(StoreError):
        kept.load(CELL, plugin)


@pytest.mark.parametrize(("field", "value"), [("key", "0"), ("schema_version", 9), ("entry_point", "os:system")])
def test_a_note_about_something_else_is_refused(kept, plugin, field, value):
    path = kept.path / CELL.key / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(StoreError, match="another"):
        kept.load(CELL, plugin)


def test_a_class_that_cannot_read_it_is_named_with_its_reason(kept, plugin, tmp_path):
    (tmp_path / "breaking.py").write_text(
        "class Kept:\n    @classmethod\n    def load(cls, directory):\n        raise KeyError('lost')\n"
    )
    breaking = replace(plugin, value="breaking:Kept")
    path = kept.path / CELL.key / "model.json"
    path.write_text(path.read_text().replace("keeping:Kept", "breaking:Kept"))
    with pytest.raises(StoreError, match=r"kept cannot be loaded .* KeyError: 'lost'"):
        kept.load(CELL, breaking)


def test_a_class_that_cannot_be_imported_is_the_plugins_fault_not_the_files(kept, plugin):
    path = kept.path / CELL.key / "model.json"
    path.write_text(path.read_text().replace("keeping:Kept", "nowhere:Kept"))
    with pytest.raises(PluginError, match="nowhere"):
        kept.load(CELL, replace(plugin, value="nowhere:Kept"))

"""Code that a cell may read: interpreter, libraries and packages, and no data that lie beside or within them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import cfbench
from cfbench.execution.readable_code import readable_code


@pytest.fixture
def code(monkeypatch):
    """Return what may be read where ``sys.path`` begins with further folders."""

    def read(*folders, hidden=()):
        monkeypatch.setattr(sys, "path", [*map(str, folders), *sys.path])
        return readable_code(tuple(map(str, hidden)))

    return read


def opened(code, path: Path) -> bool:
    return any(path.resolve().is_relative_to(one) for one in code.readable)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def test_interpreter_libraries_and_packages_can_be_read(code):
    found = code()
    for path in (json.__file__, np.__file__, sys.executable, cfbench.__file__, "/usr/lib"):
        assert opened(found, Path(path)), path


def test_embedded_ratings_cannot_and_their_neighbours_can(code):
    found, sources = code(), Path(cfbench.__file__).parent / "data" / "sources"
    assert not opened(found, sources / "embedded" / "movietweetings-100k.npz")
    assert opened(found, sources / "movielens.py")


def test_of_a_checkout_packages_alone_can_be_read(code, tmp_path):
    write(
        tmp_path, "module.py", "package/__init__.py", "package/facts.npz", "names/inner/__init__.py", "x.egg-info/PKG"
    )
    write(tmp_path, "results/table.csv", "data/u.data", "notes.txt", "results/old/ratings.npz", ".git/config")
    found = code(tmp_path)
    for name in ("module.py", "package/facts.npz", "names/inner/__init__.py", "x.egg-info/PKG"):
        assert opened(found, tmp_path / name), name
    for name in ("results/table.csv", "data/u.data", "notes.txt", "results/old/ratings.npz", ".git/config"):
        assert not opened(found, tmp_path / name), name
    assert str(tmp_path) in found.listed


def test_hidden_places_within_code_are_left_out_and_hidden_places_around_it_are_not(code, tmp_path):
    write(tmp_path, "package/__init__.py", "package/data/u.data", "package/data.py")
    found = code(tmp_path, hidden=[tmp_path / "package" / "data", tmp_path])
    assert opened(found, tmp_path / "package" / "data.py")
    assert not opened(found, tmp_path / "package" / "data" / "u.data")
    assert str(tmp_path / "package") in found.listed


def test_sources_that_the_finder_of_an_editable_install_maps_can_be_read(code, tmp_path, monkeypatch):
    write(tmp_path, "src/mapped/__init__.py", "src/other.csv")
    finder = type(sys)("__editable___mapped_1_0_finder")
    finder.MAPPING = {"mapped": str(tmp_path / "src" / "mapped")}
    monkeypatch.setitem(sys.modules, finder.__name__, finder)
    found = code(tmp_path)
    assert opened(found, tmp_path / "src" / "mapped" / "__init__.py")
    assert not opened(found, tmp_path / "src" / "other.csv")


def test_an_editable_project_that_another_finder_leads_to_can_be_read(code, tmp_path):
    origin = {"url": (tmp_path / "the project").as_uri(), "dir_info": {"editable": True}}
    write(
        tmp_path, "the project/build/fast.so", "packages/fast-1.0.dist-info/METADATA", "the project/.git/objects/ab/cd"
    )
    (tmp_path / "packages" / "fast-1.0.dist-info" / "direct_url.json").write_text(json.dumps(origin))
    found, project = code(tmp_path / "packages"), tmp_path / "the project"
    assert opened(found, project / "build" / "fast.so")
    assert not opened(found, project / ".git" / "objects" / "ab" / "cd"), "it holds what was ever committed"

"""A cell is kept only while all code that its answers depend on is what it was, whatever a file's times say."""

from __future__ import annotations

import json
import os
import py_compile
import zipfile
from importlib.util import cache_from_source
from pathlib import Path

import pytest

MODEL = '''
from pathlib import Path

import numpy as np
{imports}
HERE = Path(__file__)


class Model:
    """Predicts a number that comes from somewhere."""

    def fit(self, train, context):
        self.value_ = float({value})

    def predict(self, users, items):
        return np.full(len(users), self.value_, dtype=np.float32)


class Other(Model):
    """Predicts another."""

    def fit(self, train, context):
        self.value_ = 2.0
'''
VICTIMS = {
    "packaged-data": "HERE.with_name('value.txt').read_text()",
    "native-module": "HERE.with_name('core.so').read_bytes()[-1]",
    "flat-sibling": "stale_flat_sibling.VALUE",
    "editable-library": "stale_editable_library.VALUE",
    "library-of-a-library": "stale_upper.VALUE",
    "edited-release": "stale_edited_release.VALUE",
    "reinstalled-library": "stale_reinstalled.VALUE",
    "copied-source": "1",
    "other-class": "1",
    "unchecked-module": "stale_unchecked.VALUE",
    "module-ahead": "stale_hidden.VALUE",
    "module-beside": "stale_beside.VALUE",
    "archive": "stale_archive.VALUE",
    "extra": "stale_extra.VALUE",
}
FEW = ("packaged-data", "flat-sibling", "library-of-a-library", "copied-source")
TOLD = {"library-of-a-library": "edited-code", "module-ahead": "hidden-code", "module-beside": "foreign-files"}
EXTRA = {"Requires_Dist": "stale_extra; extra == 'more'", "Provides_Extra": "more"}
HONEST = ("bias", "honestnoise")


def model(value: str, *imports: str) -> bytes:
    return MODEL.format(value=value, imports="".join(f"import {name}\n" for name in imports)).encode()


def install_all(place, folder: Path) -> None:
    """Install a plugin for each way to be stale; what it needs predicts 1."""
    place.install_attack("honest")
    for name, value in VICTIMS.items():
        files, package, more = {}, f"plugin_{name.replace('-', '_')}", {}
        imports = [value.partition(".")[0]] if value.startswith("stale") else []
        if name == "packaged-data":
            files[f"{package}/value.txt"] = b"1"
        elif name == "native-module":
            files[f"{package}/core.so"] = b"\x7fELF\x01"
        elif name == "flat-sibling":
            files["stale_flat_sibling.py"], package = b"VALUE = 1\n", "plugin_flat_model"
        elif imports:
            more = EXTRA if name == "extra" else {"Requires_Dist": imports[0]}
        path = f"{package}.py" if name == "flat-sibling" else f"{package}/__init__.py"
        files[path] = model(value, *imports)
        place.install(f"stale-plugin-{name}", files, models={name: f"{package}:Model"}, **more)
    for name in ("edited_release", "reinstalled", "unchecked", "hidden", "extra"):
        place.install(f"stale-{name}", {f"stale_{name}.py": b"VALUE = 1\n"}, models={})
    place.install(
        "stale-upper", {"stale_upper.py": b"from stale_lower import VALUE\n"}, models={}, Requires_Dist="stale-lower"
    )
    place.install("stale-lower", {"stale_lower/__init__.py": b"VALUE = 1\n"}, models={})
    beside = {"stale_beside/__init__.py": b"from .core import VALUE\n", "stale_beside/core.py": b"VALUE = 1\n"}
    place.install("stale-beside", beside, models={})
    py_compile.compile(
        str(place.packages / "stale_unchecked.py"), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    (folder / "ahead").mkdir()
    archive = folder / "stale_archive.egg"
    write_archive(archive, 1)
    (place.packages / "aa_ahead.pth").write_text(f"import sys; sys.path[:0] = [{str(folder / 'ahead')!r}]\n{archive}\n")
    source = folder / "checkout" / "src" / "stale_editable_library"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("VALUE = 1\n")
    pth = f"{source.parent}\n".encode()
    place.install("stale-editable-library", {"_stale_editable_library.pth": pth}, models={})
    direct = {"url": (folder / "checkout").as_uri(), "dir_info": {"editable": True}}
    (info,) = place.packages.glob("stale_editable_library-*.dist-info")
    (info / "direct_url.json").write_text(json.dumps(direct))


def write_archive(file: Path, value: int) -> None:
    """Write an egg with a module in it, always of the same size and times."""
    metadata = "Metadata-Version: 2.1\nName: stale-archive\nVersion: 1.0\n"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {"stale_archive.py": f"VALUE = {value}\n", "EGG-INFO/PKG-INFO": metadata}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    os.utime(file, (1, 1))


def edit_all(place, folder: Path) -> None:
    """Change what each plugin needs so that it predicts 2, as quietly as that can be done."""
    site = place.packages
    (site / "plugin_packaged_data" / "value.txt").write_text("2")
    (site / "plugin_native_module" / "core.so").write_bytes(b"\x7fELF\x02")
    (site / "stale_flat_sibling.py").write_text("VALUE = 2\n")
    (folder / "checkout" / "src" / "stale_editable_library" / "__init__.py").write_text("VALUE = 2\n")
    (site / "stale_lower" / "__init__.py").write_text("VALUE = 2\n")
    (site / "stale_edited_release.py").write_text("VALUE = 2\n")
    (site / "stale_unchecked.py").write_text("VALUE = 2\n")
    compiled = Path(cache_from_source(str(site / "stale_unchecked.py")))
    while compiled.stat().st_ctime_ns <= (site / "stale_unchecked.py").stat().st_ctime_ns:
        os.utime(compiled)  # newer than the source that it is not made of
    (site / "stale_extra.py").write_text("VALUE = 2\n")
    (folder / "ahead" / "stale_hidden.py").write_text("VALUE = 2\n")
    (site / "stale_beside" / "core").mkdir()  # Python prefers a package to a module
    (site / "stale_beside" / "core" / "__init__.py").write_text("VALUE = 2\n")
    write_archive(folder / "stale_archive.egg", 2)
    place.install("stale-reinstalled", {"stale_reinstalled.py": b"VALUE = 2\n"}, models={})
    # An installer has compiled it; the copy has the size and the time of what it replaces.
    source = site / "plugin_copied_source" / "__init__.py"
    py_compile.compile(str(source))
    times, copy = source.stat(), folder / "copy.py"
    copy.write_bytes(model("2"))
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.replace(source)
    (entries,) = site.glob("stale_plugin_other_class-*.dist-info/entry_points.txt")
    entries.write_text(entries.read_text().replace(":Model", ":Other"))


@pytest.fixture
def place(make_environment):
    return make_environment()


@pytest.mark.parametrize("victims", [FEW, pytest.param((*VICTIMS,), marks=pytest.mark.slow)], ids=["few", "all"])
def test_code_that_was_edited_is_run_again_and_nothing_else_is(place, run, tmp_path, victims):
    install_all(place, tmp_path)
    models, into = (*victims, *HONEST), tmp_path / "runs"
    first = run(models, "-s", "holdout", place=place, into=into)
    again = run(models, "-s", "holdout", place=place, into=into)
    edit_all(place, tmp_path)
    edited = run(models, "-s", "holdout", place=place, into=into)
    assert (first.code, again.code, edited.code) == (0, 0, 0), first.said
    ones, kept, twos = ({cell[0]: one for cell, one in ran.records.items()} for ran in (first, again, edited))
    changed = {name for name in models if twos[name]["metrics"]["RMSE"] != ones[name]["metrics"]["RMSE"]}
    assert changed == set(victims)
    assert len({twos[name]["metrics"]["RMSE"]["value"] for name in victims}) == 1  # all predict 2 now
    provenance = {name: one["provenance"] for name, one in ones.items()}  # with the time at which it was run
    assert {name: one["provenance"] for name, one in kept.items()} == provenance
    assert {name for name in models if twos[name]["provenance"] == provenance[name]} == set(HONEST)
    for ran in (first, again, edited):
        assert ran.left == []
        assert ran.temporary == []
    told = {name: {warning["code"] for warning in twos[name]["warnings"]} for name in TOLD if name in victims}
    assert {name: code for name, code in TOLD.items() if name in told and code not in told[name]} == {}
    assert "edited release" in twos["packaged-data"]["provenance"]["plugin-code"]


EDITS_ITSELF = '''
from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("value.txt")


class {name}:
    """Edits its own package while it is fitted."""

    def fit(self, train, context):
        before = DATA.read_text()
        DATA.write_text("3")
        self.value_ = float(DATA.read_text())
        {then}

    def predict(self, users, items):
        return np.full(len(users), self.value_, dtype=np.float32)
'''


def test_a_cell_whose_code_is_edited_meanwhile_is_kept_neither_as_the_old_nor_as_the_new(place, run, alone, tmp_path):
    place.install_attack("honest")
    for name, then in (("edits", "pass"), ("reverts", "DATA.write_text(before)")):
        source = EDITS_ITSELF.format(name=name.capitalize(), then=then).encode()
        files = {f"during_{name}/__init__.py": source, f"during_{name}/value.txt": b"1"}
        place.install(f"during-{name}", files, models={name: f"during_{name}:{name.capitalize()}"})
    # In the run's own process, where nothing keeps a model from writing to installed code.
    ran = run(["edits", "reverts", *HONEST], "-s", "holdout", "--in-process", place=place, into=tmp_path / "runs")
    assert ran.status == {"edits": "failed", "reverts": "failed", "bias": "ok", "honestnoise": "ok"}
    for name in ("edits", "reverts"):
        assert f"the code of during-{name} was " in ran.records[name, ""]["reason"]
    assert ran.code == 1
    assert ran.figures(HONEST) == alone("-s", "holdout").figures(HONEST) != {}

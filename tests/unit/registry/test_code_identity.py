"""The identity of code follows all that answers depend on, and nothing that they do not."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import py_compile
import shutil
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from cfbench.errors import PluginError
from cfbench.registry import code_identity
from cfbench.registry.code_identity import CodeIdentity, Installation
from cfbench.registry.declaration import source_of
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import Spec

MODULE = b"class Model:\n    '''A model.'''\n    def fit(self, train, context): ...\n"


def listed(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


class Site:
    """A folder on the import path that distributions are installed into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def install(self, name, files, *requires, direct=None, record=True, entries="", version="1.0", **extra) -> Path:
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        shutil.rmtree(info, ignore_errors=True)
        info.mkdir()
        required = "".join(f"Requires-Dist: {one}\n" for one in requires)
        metadata = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}\nRequires-Dist: in-the-readme\n"
        )
        texts = {"METADATA": metadata, **extra}
        if entries:
            texts["entry_points.txt"] = f"[cfbench.models]\n{entries}\n"
        if direct is not None:
            texts["direct_url.json"] = json.dumps(direct)
        for file, text in texts.items():
            (info / file).write_text(text)
        for file, content in files.items():
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_bytes(content)
        if record:
            lines = [listed(file, content) for file, content in files.items()]
            lines += [f"{info.name}/{file},,\n" for file in (*texts, "RECORD")]
            lines += ["../../../bin/tool,sha256=x,3\n", f"{name}/__pycache__/a.cpython-311.pyc,,\n"]
            (info / "RECORD").write_text("".join(lines))
        return info


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path / "cache"))
    source_of.cache_clear()  # for as long as a process lives, it is believed that modules stay where they are


@pytest.fixture
def make_site(tmp_path, monkeypatch):
    def make(name="site-packages") -> Site:
        site = Site(tmp_path / name)
        monkeypatch.syspath_prepend(str(site.folder))
        return site

    return make


@pytest.fixture
def site(make_site) -> Site:
    return make_site()


def identity(name: str) -> CodeIdentity:
    found = Installation().identity(name)
    assert found is not None
    return found


def editable(site: Site, name: str, project: Path, files: dict[str, bytes], *requires: str, **more) -> None:
    direct = {"url": project.as_uri(), "dir_info": {"editable": True}}
    site.install(name, files, *requires, direct=direct, **more)


def project(root: Path, *files: str, content: bytes = MODULE) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)
    return root


def test_a_wheel_and_its_sources_have_one_digest_wherever_they_lie(make_site, tmp_path, monkeypatch):
    files = {"mine/__init__.py": MODULE, "mine/data/weights.npy": b"\x93NUMPY"}
    digests = set()
    for name in ("here", "there"):
        with monkeypatch.context() as patched:
            site = Site(tmp_path / name)
            patched.syspath_prepend(str(site.folder))
            site.install("mine", files)
            digests.add(identity("mine").digest)
    root = project(tmp_path / "checkout", "pyproject.toml", "README.md", "tests/test_mine.py")
    for file, content in files.items():
        project(root / "src", file, content=content)
    site = make_site()
    editable(site, "mine", root, {"_mine.pth": f"{root / 'src'}\n".encode()})
    digests.add(identity("mine").digest)
    assert len(digests) == 1
    assert Installation().code("mine").origin == "editable"


FINDER = "import sys\nMAPPING: dict[str, str] = {mapping!r}\nNAMESPACES = {{}}\n"
EDITABLES = "from editables.redirector import RedirectingFinder as F\nF.install()\nF.map_module('mine', {path!r})\n"


@pytest.mark.parametrize("layout", ["src", "flat", "finder", "editables", "nothing", "egg"])
def test_an_editable_install_is_its_packages_whole_and_never_the_checkout(make_site, tmp_path, monkeypatch, layout):
    site, root = make_site(), tmp_path / "checkout"
    home = root / "src" if layout in ("src", "nothing", "egg") else root
    project(root, "pyproject.toml", "README.md", "tests/test_mine.py", "docs/conf.py", "runs/log.txt", "conftest.py")
    project(home, "mine/__init__.py", "mine/data/table.bin", "mine/native.so", "mine/deep/er.py", "mine/.table~")
    files = {
        "src": {"_mine.pth": f"{home}\n".encode()},
        "flat": {"__editable__.mine.pth": f"# a comment\n{home}\n".encode()},
        "finder": {
            "__editable___mine_finder.py": FINDER.format(mapping={"mine": str(home / "mine")}).encode(),
            "__editable__.mine.pth": b"import __editable___mine_finder; __editable___mine_finder.install()\n",
        },
        "editables": {"_mine.py": EDITABLES.format(path=str(home / "mine" / "__init__.py")).encode()},
    }.get(layout, {})
    if layout == "egg":  # what `setup.py develop` left: metadata beside the sources, which are on the path
        (home / "mine.egg-info").mkdir()
        (home / "mine.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        monkeypatch.syspath_prepend(str(home))
    else:
        editable(site, "mine", root, files)
    names = {"mine/__init__.py", "mine/data/table.bin", "mine/native.so", "mine/deep/er.py", "mine/.table~"}
    assert set(identity("mine").own.files) == names
    for name in sorted(names):
        before = identity("mine").digest
        (home / name).write_bytes(b"# edited\n")
        assert identity("mine").digest != before, name
    before = identity("mine").digest
    project(
        root, "README.md", "tests/test_mine.py", "docs/conf.py", "runs/log.txt", "conftest.py", content=b"# edited\n"
    )
    project(home, "mine/__pycache__/deep.cpython-311.pyc", "mine/.mypy_cache/x", "mine/.er.py.swp")
    assert identity("mine").digest == before
    (home / "mine" / "added.csv").write_text("1")
    assert identity("mine").digest != before
    assert Installation().found("mine").holds(home / "mine" / "deep" / "er.py")
    assert not Installation().found("mine").holds(root / "tests" / "test_mine.py")


def test_modules_beside_one_another_and_their_data_are_the_code_of_a_flat_checkout(site, tmp_path):
    root = project(
        tmp_path / "checkout", "pyproject.toml", "README.md", "setup.py", "plugin.py", "helper.py", "table.csv"
    )
    editable(site, "plugin", root, {"plugin.pth": f"{root}\n".encode()})
    assert set(identity("plugin").own.files) == {"plugin.py", "helper.py", "table.csv"}


def test_links_that_lead_back_and_what_is_no_file_end_nothing(site, tmp_path):
    root = project(tmp_path / "checkout", "pyproject.toml", "src/mine/__init__.py")
    (root / "src" / "mine" / "loop").symlink_to(root / "src" / "mine")
    os.mkfifo(root / "src" / "mine" / "pipe")
    editable(site, "mine", root, {"mine.pth": f"{root / 'src'}\n".encode()})
    before = identity("mine").digest
    assert set(identity("mine").own.files) == {"mine/__init__.py", "mine/pipe"}
    (root / "src" / "mine" / "pipe").unlink()
    assert identity("mine").digest != before


def test_readme_metadata_programs_and_compiled_modules_are_no_code(site):
    info = site.install("mine", {"mine/__init__.py": MODULE})
    before = identity("mine").digest
    (info / "METADATA").write_text((info / "METADATA").read_text() + "\nAnother readme.\n")
    project(site.folder, "mine/__pycache__/__init__.cpython-311.pyc")
    assert identity("mine").digest == before
    assert set(identity("mine").own.files) == {"mine/__init__.py"}


def test_requirements_count_with_all_that_they_require(site):
    site.install("mine", {"mine.py": MODULE}, "upper[more]>=1", "absent", "other; python_version < '3'")
    site.install("upper", {"upper.py": b"1"}, "lower", "extra-one; extra == 'more'", "unwanted; extra == 'less'")
    for name in ("lower", "extra-one", "unwanted", "other", "in-the-readme"):
        site.install(name, {f"{name}.py": b"1"}, "mine")  # a circle
    required = {one.copy.name for one in identity("mine").required}
    assert required == {"upper", "lower", "extra-one", "numpy"}
    for name in ("lower", "extra-one"):
        before = identity("mine").digest
        (site.folder / f"{name}.py").write_bytes(b"2")
        assert identity("mine").digest != before
    before = identity("mine").digest
    site.install("lower", {"lower.py": b"2"}, version="1.0")
    site.install("unwanted", {"unwanted.py": b"2"})
    assert identity("mine").digest == before  # by content, not by who wrote it


def test_an_edited_file_of_a_release_is_found_and_the_others_are_not_read(site, monkeypatch):
    site.install("mine", {"mine.py": MODULE}, "library")
    site.install("library", {"library/__init__.py": b"1", "library/big.so": b"22", "library/x.h": b"3"})
    record = site.folder / "library-1.0.dist-info" / "RECORD"
    # Nobody can set the time that is looked at in truth, nor wait for its granularity: the other one stands in for it.
    edited = record.stat().st_mtime_ns
    for path in (site.folder / "library").iterdir():
        os.utime(path, ns=(0, edited - 1))
    monkeypatch.setattr(code_identity, "written_before", lambda state, _moment: state[1] < edited)
    read = []
    original = code_identity._content
    monkeypatch.setattr(
        code_identity, "_content", lambda digests, path: (read.append(path), original(digests, path))[1]
    )
    before = identity("mine")
    assert [path for path in read if "library" in path] == []
    times = (site.folder / "library" / "big.so").stat()
    (site.folder / "library" / "big.so").write_bytes(b"23")
    os.utime(site.folder / "library" / "big.so", ns=(times.st_atime_ns, edited + 1))
    after = identity("mine")
    assert [path for path in read if "library" in path] == [f"{site.folder}/library/big.so"]
    assert after.digest != before.digest
    assert after.remarks == [
        ("edited-code", "files of library, which mine requires, were changed since it was installed: library/big.so")
    ]
    (site.folder / "library" / "big.so").write_bytes(b"22")
    assert identity("mine").digest == before.digest
    (site.folder / "library" / "__init__.py").unlink()
    assert identity("mine").digest != before.digest


def test_of_cfbench_what_runs_in_cells_counts():
    (harness,) = [one for one in identity("cfbench-baselines").required if one.copy.name == "cfbench"]
    assert {name.split("/")[1] for name in harness.files} == {"model", "inference", "execution", "spec.py"}
    assert len(Installation().code("cfbench").files) > 2 * len(harness.files)


def test_a_change_is_told_once_the_kernel_says_that_something_was_touched(site):
    site.install("mine", {"mine.py": MODULE, "data.txt": b"1"}, "library")
    site.install("library", {"library.py": b"1"})
    installation = Installation()
    assert installation.change("mine") == ""
    os.chmod(site.folder / "data.txt", 0o600)  # noqa: PTH101
    os.link(site.folder / "data.txt", site.folder / "link")
    assert installation.change("mine") == ""
    (site.folder / "data.txt").write_bytes(b"1")
    assert installation.change("mine") == "the code of mine was written to"
    (site.folder / "library.py").write_bytes(b"2")
    fresh = Installation()
    fresh.identity("mine")
    (site.folder / "library.py").write_bytes(b"3")
    assert fresh.change("mine") == "the code of library was changed"
    shutil.rmtree(site.folder / "mine-1.0.dist-info")
    assert fresh.change("mine") == "mine was uninstalled"
    assert Installation().change("nobody") == ""


def test_a_compiled_module_that_is_older_than_its_source_is_not_run(site):
    site.install("mine", {"mine.py": b"VALUE = 1\n"})
    source = site.folder / "mine.py"
    py_compile.compile(str(source))
    times = source.stat()
    copy = project(site.folder, "copy", content=b"VALUE = 2\n") / "copy"
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.replace(source)
    identity("mine")
    spec = importlib.util.spec_from_file_location("mine_fresh", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.VALUE == 2


def test_the_class_that_an_entry_point_names_is_part_of_a_plugins_code(site):
    site.install("mine", {"mine.py": MODULE})
    one, other = (Plugin("model", "m", f"mine:{name}", "mine", "1.0") for name in ("Model", "Other"))
    assert one.code != other.code
    assert Plugin("model", "m", "mine:Model", "nobody", "1.0").code == ""


def test_a_module_that_is_no_file_of_its_distribution_is_a_problem(make_site):
    make_site("later").install(
        "mine", {"mine/__init__.py": b"", "mine/model.py": MODULE}, entries="m = mine.model:Model"
    )
    plugin = Registry.discover().named("model", "m")
    assert plugin.problem == ""
    project(make_site("earlier").folder, "mine/__init__.py", "mine/model.py")
    source_of.cache_clear()
    plugin = Registry.discover().named("model", "m")
    assert "earlier/mine/model.py, which is no file of mine 1.0" in plugin.problem
    assert plugin.problem.endswith("mine 1.0: run in another folder, or rename or remove that module")
    with pytest.raises(PluginError, match="no file of mine"):
        Registry.discover().create("model", Spec("m"))


def test_who_runs_in_the_sources_of_an_installed_plugin_is_told_what_to_type(make_site):
    make_site("later").install("mine", {"mine.py": MODULE}, entries="m = mine:Model")
    sources = make_site("my sources").folder
    project(sources, "mine/__init__.py", "pyproject.toml")
    source_of.cache_clear()
    problem = Registry.discover().named("model", "m").problem
    assert f": `pip install -e '{sources}'` if your own sources of it lie there, else run in another" in problem


def test_a_copy_earlier_on_the_path_and_a_file_of_somebody_else_are_told(make_site):
    later, earlier = make_site("later"), make_site("earlier")
    later.install("My.Models", {"my_models/__init__.py": MODULE}, version="1.1")
    assert Installation().remarks("my-models") == []
    later.install("other", {"my_models/other.py": MODULE})
    told = "in packages of my_models lie files that are not its own: my_models/other.py, but of other 1.0"
    assert Installation().remarks("my_models") == [("foreign-files", told)]
    earlier.install("my_models", {"my_models/__init__.py": MODULE})
    told = "my-models is on the import path 2 times; its first copy was used, which hides My.Models 1.1"
    assert Installation().remarks("my-models") == [("duplicate-distribution", told)]


def test_packages_without_init_files_may_be_shared(site):
    site.install("one", {"shared/one/__init__.py": b""})
    site.install("two", {"shared/two/__init__.py": b""}, "one")
    assert identity("two").remarks == []
    assert Installation().remarks("one") == Installation().remarks("two") == []


def test_what_a_build_leaves_beside_the_sources_is_no_second_copy(site, tmp_path, monkeypatch):
    root = project(tmp_path / "checkout", "pyproject.toml", "src/mine/__init__.py")
    (root / "src" / "mine.egg-info").mkdir()
    (root / "src" / "mine.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    editable(site, "mine", root, {"mine.pth": f"{root / 'src'}\n".encode()})
    monkeypatch.setattr(sys, "path", [*sys.path, str(root / "src")])
    assert len(Installation().copies["mine"]) == 2
    assert Installation().remarks("mine") == []


@pytest.mark.parametrize(
    "record", ["", "\x00\n", '"a,b.py",sha256=x,1\n', "../../../etc/passwd,sha256=x,1\n", "/etc/passwd,,\n", "a" * 9000]
)
def test_a_list_of_files_that_makes_no_sense_is_no_error(site, record):
    info = site.install("mine", {"mine.py": MODULE})
    (info / "RECORD").write_text(record)
    assert len(identity("mine").digest) == 64
    assert isinstance(Installation().remarks("mine"), list)


HIDING = {
    "module": "library.py",
    "package": "library/__init__.py",
    "compiled": f"library{EXTENSION_SUFFIXES[0]}",
    "without-source": "library.pyc",
    "of-a-shared-folder": "shared/__init__.py",
    "of-python": "statistics.py",
    "helper": "mine_helper.so",
}


@pytest.mark.parametrize("name", HIDING.values(), ids=HIDING)
def test_what_hides_a_module_counts_in_its_place_and_is_told(make_site, name):
    later, place = make_site("later"), make_site("earlier").folder
    later.install("mine", {"mine/__init__.py": MODULE, "mine_helper.py": b""}, "library")
    later.install("library", {"library/__init__.py": b"1", "shared/part/__init__.py": b"", "tests/__init__.py": b""})
    project(place, "tests.py", "neighbour.py", "library/no/package.py")
    one = identity("mine")
    assert one.remarks == Installation().remarks("mine") == []
    project(place, name, content=b"1")
    two, difference = identity("mine"), one.difference(identity("mine"))
    assert [code for code, _ in (*two.remarks, *Installation().remarks("mine"))] == ["hidden-code"]
    assert str(place / name) in two.hiding
    assert difference.startswith("the code of ")
    assert not one.untouched()
    project(place, name, content=b"2")
    assert not two.untouched()
    (place / name).unlink()
    assert len({one.digest, two.digest}) == 2
    assert identity("mine").digest == one.digest


@pytest.mark.parametrize("name", [f"core{EXTENSION_SUFFIXES[0]}", "core.pyc", "core/__init__.py", "deep/__init__.py"])
@pytest.mark.parametrize("owner", ["mine", "library"])
def test_what_is_put_beside_the_modules_of_a_release_counts_and_is_told(site, owner, name):
    for one in ("mine", "library"):
        files = {
            f"{one}/__init__.py": MODULE,
            f"{one}/core.py": b"",
            f"{one}/deep/er/leaf.py": b"",
            f"{one}.libs/a.so": b"",
        }
        site.install(one, files, *(["library"] if one == "mine" else []))
    before = identity("mine")
    project(site.folder, "library/notes.txt", "library/__pycache__/core.cpython-311.pyc")
    assert identity("mine").digest == before.digest
    project(site.folder, f"{owner}/{name}")
    after = identity("mine")
    assert after.digest != before.digest
    told = [*after.remarks, *Installation().remarks("mine")]
    assert [(code, name in text) for code, text in told] == [("foreign-files", True)]


def test_a_library_that_the_linker_finds_beside_those_of_a_release_counts(site):
    site.install("mine", {"mine.py": MODULE}, "library")
    site.install("library", {"library.py": b"", "library.libs/one.so.1": b""})
    before = identity("mine").digest
    project(site.folder, "library.libs/libc.so.6")
    assert identity("mine").digest != before


@pytest.mark.parametrize("metadata", ["library-1.0.dist-info/METADATA", "EGG-INFO/PKG-INFO"])
def test_an_archive_on_the_import_path_counts_whole(site, tmp_path, monkeypatch, metadata):
    site.install("mine", {"mine.py": MODULE}, "library")
    archive = tmp_path / "library.egg"

    def write(value: int) -> None:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("library/__init__.py", f"VALUE = {value}")
            file.writestr(metadata, "Metadata-Version: 2.1\nName: library\nVersion: 1.0\n")
            if "dist-info" in metadata:
                file.writestr("library-1.0.dist-info/RECORD", "library/__init__.py,,\n")
        os.utime(archive, (1, 1))

    write(1)
    monkeypatch.syspath_prepend(str(archive))
    before = identity("mine")
    write(2)
    assert not before.untouched()
    assert identity("mine").digest != before.digest
    assert before.remarks == []


def test_modules_beside_a_package_that_a_finder_leads_to_count(site, tmp_path):
    root = project(tmp_path / "checkout", "src/mine/__init__.py", "src/helper.py", "src/other/mine/__init__.py")
    mapping = {"mine": str(root / "src/mine"), "helper": str(root / "src/helper"), "x": str(root / "src/other/mine")}
    finder = FINDER.format(mapping=mapping).encode()
    editable(site, "mine", root, {"__editable___mine_finder.py": finder})
    for name in ("mine/__init__.py", "helper.py", "other/mine/__init__.py"):
        before = identity("mine")
        (root / "src" / name).write_bytes(b"# edited")
        assert identity("mine").digest != before.digest, name

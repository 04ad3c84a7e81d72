"""Files, names and archives are read, never run: what could carry code is not used anywhere, plugins included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cfbench

CORE = Path(cfbench.__file__).parent
ROOT = CORE.parent
SOURCES = sorted([*CORE.rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")])

CARRIERS = {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal", "yaml", "jsonpickle"}
RUNNERS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "popen": "starts a shell", "getoutput": "starts a shell", "extractall": "may leave its folder",
    "unpack_archive": "may leave its folder", "mktemp": "leaves a gap", "read_pickle": "unpickles",
    "to_pickle": "pickles",
}  # fmt: skip
OWN_FILES = (
    "cfbench/inference/inputs.py",
    "cfbench/execution/",
    "cfbench/testing/",
    "cfbench/data/sources/movietweetings.py",
)
WRITES_RESULTS = ("records", "reporting", "analysis", "runner", "results")
WRITERS = {"write_text", "write_bytes", "savez", "savez_compressed", "save", "savetxt", "dump", "to_csv"}
WRITES_ITSELF = {  # each for a reason
    ("reporting/metric_pages.py", "write_text"): "writes the documentation of a checkout",
    ("reporting/csv_files.py", "to_csv"): "into a text in memory",
    ("records/store.py", "savez_compressed"): "into bytes in memory",
}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def library(call: ast.Call) -> str:
    """The name before the dot: ``np`` of ``np.load(...)``."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return owner.id if isinstance(owner, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> object:
    """The constant that a keyword is given; None where it is not given, or is no constant."""
    given = (one.value for one in call.keywords if one.arg == name)
    return next((value.value for value in given if isinstance(value, ast.Constant)), None)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def every_source():
    return pytest.mark.parametrize("path", SOURCES, ids=name_of)


def test_there_is_something_to_look_at():
    assert {"cfbench/spec.py", "plugins/cfbench-torch/src/cfbench_torch/dot.py"} <= set(map(name_of, SOURCES))


@every_source()
def test_no_format_that_carries_code_is_imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not CARRIERS & {name.split(".")[0] for name in names}


@every_source()
def test_nothing_is_evaluated_and_no_shell_is_started(path):
    for call in calls(path):
        if isinstance(call.func, ast.Name):
            assert call.func.id not in RUNNERS, f"{name_of(path)}:{call.lineno}"
        assert called(call) not in METHODS, f"{name_of(path)}:{call.lineno}: {METHODS[called(call)]}"
        assert (library(call), called(call)) != ("os", "system"), f"{name_of(path)}:{call.lineno}: starts a shell"
        assert keyword(call, "shell") in (None, False), f"{name_of(path)}:{call.lineno}: starts a shell"


@every_source()
def test_arrays_are_loaded_and_saved_without_objects(path):
    for call in calls(path):
        if library(call) == "np" and called(call) in ("load", "save", "savez", "savez_compressed"):
            assert keyword(call, "allow_pickle") is False, f"{name_of(path)}:{call.lineno}"
        if library(call) == "torch" and called(call) == "load":
            assert keyword(call, "weights_only") is True, f"{name_of(path)}:{call.lineno}"


@every_source()
def test_answers_and_models_are_read_with_their_sizes_checked(path):
    """``np.load`` believes what a header claims: it reads a run's own temporary files and shipped data alone."""
    for call in calls(path):
        if (library(call), called(call)) == ("np", "load"):
            assert name_of(path).startswith(OWN_FILES), f"{name_of(path)}:{call.lineno}: use read_arrays"


@pytest.mark.parametrize("path", [path for path in SOURCES if CORE in path.parents], ids=name_of)
def test_what_lies_in_a_results_folder_is_replaced_and_never_written_through(path):
    inside = path.relative_to(CORE)
    if inside.parts[0] not in WRITES_RESULTS:
        return
    for call in calls(path):
        excused = (inside.as_posix(), called(call)) in WRITES_ITSELF
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        own_method = isinstance(owner, ast.Attribute | ast.Name) and ast.unparse(owner).endswith(("folder", "self"))
        is_method = isinstance(call.func, ast.Attribute) and not own_method
        assert not (is_method and called(call) in WRITERS) or excused, f"{name_of(path)}:{call.lineno}: use atomic"
        if (library(call), called(call)) == ("os", "open"):
            assert "O_NOFOLLOW" in ast.unparse(call), f"{name_of(path)}:{call.lineno}: follows links"
        elif called(call) == "open" and keyword(call, "force_zip64") is None:  # else a member of an archive
            modes = {one.value for one in call.args if isinstance(one, ast.Constant)}
            assert modes <= {"r", "rb"}, f"{name_of(path)}:{call.lineno}: use atomic"

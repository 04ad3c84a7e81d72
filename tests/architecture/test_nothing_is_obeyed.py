"""Files, names and archives are read, never run: what could carry code is not used anywhere, plugins included."""

from __future__ import annotations

import ast
from collections.abc import Callable
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


@pytest.fixture(scope="module")
def calls(nodes_of) -> list[tuple[Path, ast.Call]]:
    """All calls, each with the file that it stands in."""
    return [(path, node) for path in SOURCES for node in nodes_of(path) if isinstance(node, ast.Call)]


def places(found: list[tuple[Path, ast.Call]], is_wrong: Callable[[Path, ast.Call], object]) -> list[str]:
    return [f"{name_of(path)}:{call.lineno}: {ast.unparse(call)}" for path, call in found if is_wrong(path, call)]


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


def test_there_is_something_to_look_at(calls):
    assert {"cfbench/spec.py", "plugins/cfbench-torch/src/cfbench_torch/dot.py"} <= set(map(name_of, SOURCES))
    assert {"np.load", "np.save", "os.open"} <= {f"{library(call)}.{called(call)}" for _, call in calls}


def test_no_format_that_carries_code_is_imported(nodes_of):
    found = set()
    for path in SOURCES:
        for node in nodes_of(path):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {(name_of(path), name) for name in names if name.split(".")[0] in CARRIERS}
    assert found == set()


def test_nothing_is_evaluated_and_no_shell_is_started(calls):
    def is_wrong(_: Path, call: ast.Call) -> bool:
        evaluates = isinstance(call.func, ast.Name) and call.func.id in RUNNERS
        shell = (library(call), called(call)) == ("os", "system") or keyword(call, "shell") not in (None, False)
        return evaluates or shell or called(call) in METHODS

    assert places(calls, is_wrong) == [], METHODS


def test_arrays_are_loaded_and_saved_without_objects(calls):
    def is_wrong(_: Path, call: ast.Call) -> bool:
        if library(call) == "np" and called(call) in ("load", "save", "savez", "savez_compressed"):
            return keyword(call, "allow_pickle") is not False
        return (library(call), called(call)) == ("torch", "load") and keyword(call, "weights_only") is not True

    assert places(calls, is_wrong) == []


def test_answers_and_models_are_read_with_their_sizes_checked(calls):
    """``np.load`` believes what a header claims: it reads a run's own temporary files and shipped data alone."""

    def is_wrong(path: Path, call: ast.Call) -> bool:
        return (library(call), called(call)) == ("np", "load") and not name_of(path).startswith(OWN_FILES)

    assert places(calls, is_wrong) == [], "use read_arrays"


def test_what_lies_in_a_results_folder_is_replaced_and_never_written_through(calls):
    def is_wrong(path: Path, call: ast.Call) -> bool:
        inside = path.relative_to(CORE).as_posix()
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        own_method = isinstance(owner, ast.Attribute | ast.Name) and ast.unparse(owner).endswith(("folder", "self"))
        is_method = isinstance(call.func, ast.Attribute) and not own_method
        if is_method and called(call) in WRITERS and (inside, called(call)) not in WRITES_ITSELF:
            return True
        if (library(call), called(call)) == ("os", "open"):
            return "O_NOFOLLOW" not in ast.unparse(call)
        if called(call) == "open" and keyword(call, "force_zip64") is None:  # else a member of an archive
            return not {one.value for one in call.args if isinstance(one, ast.Constant)} <= {"r", "rb"}
        return False

    inside = [
        (path, call)
        for path, call in calls
        if path.is_relative_to(CORE) and path.relative_to(CORE).parts[0] in WRITES_RESULTS
    ]
    assert {path.relative_to(CORE).parts[0] for path, _ in inside} == set(WRITES_RESULTS)
    assert places(inside, is_wrong) == [], "use atomic, and follow no links"

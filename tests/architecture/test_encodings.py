"""Texts are read and written as UTF-8 whatever the locale: nothing leaves the encoding to the machine."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import cfbench

CORE = Path(cfbench.__file__).parent
ROOT = CORE.parent
SOURCES = sorted([*CORE.rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("benchmarks/*.py")])
BEFORE_ENCODING = {"read_text": 0, "write_text": 1}  # how many arguments
TEXT_MODES = {"r", "w", "a", "x", "r+", "w+", "a+", "rt", "wt"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unnamed(nodes: Iterable[ast.AST]) -> Iterator[int]:
    """Yield the lines that open a text, or start a program whose texts are read, without an encoding."""
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        named = {one.arg: one.value for one in call.keywords}
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        modes = {one.value for one in [*call.args, *named.values()] if isinstance(one, ast.Constant)} & TEXT_MODES
        bare = name == "open" and len(call.args) == (0 if isinstance(call.func, ast.Attribute) else 1)
        of_path = name in BEFORE_ENCODING and len(call.args) <= BEFORE_ENCODING[name]
        program = any(getattr(named.get(one), "value", None) is True for one in ("text", "universal_newlines"))
        known = named.keys() & {"encoding", "force_zip64"}  # the latter of a member of a zip file, which takes bytes
        if not known and (of_path or program or bare or (name in ("open", "fdopen") and modes)):
            yield call.lineno


def test_the_check_finds_what_it_is_for():
    source = (
        "path.read_text()\npath.write_text(text)\nopen(name)\npath.open('w')\nrun(command, text=True)\n"
        "path.read_text('utf-8')\nopen(name, 'rb')\npath.write_text(text, encoding='utf-8')\n"
        "path.open('rb')\nos.open(name, flags)\narchive.open(name, 'w', force_zip64=True)\n"
    )
    assert sorted(unnamed(ast.walk(ast.parse(source)))) == [1, 2, 3, 4, 5]


def test_every_text_names_its_encoding(nodes_of):
    found = [f"{name_of(path)}:{line}: add encoding" for path in SOURCES for line in unnamed(nodes_of(path))]
    assert found == []

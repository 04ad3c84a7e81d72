"""The page on running lists every warning that there can be, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import cfbench
from cfbench.registry.code_identity import REMARKS

CORE = Path(cfbench.__file__).parent
PAGE = CORE.parent / "docs" / "running.md"


def test_the_page_lists_the_warnings_that_there_are(nodes_of):
    calls = [
        node
        for path in CORE.rglob("*.py")
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SanityWarning"
    ]
    given = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    section = PAGE.read_text("utf-8").partition("\n## Warnings\n")[2].partition("\n## ")[0]
    assert given | {*REMARKS} == set(re.findall(r"^\|[^|]*\| `([a-z-]+)` \|", section, re.MULTILINE))

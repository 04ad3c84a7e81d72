"""Sources of the core and of its plugins, each parsed once."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nodes_of() -> Callable[[Path], tuple[ast.AST, ...]]:
    """Return all nodes of the syntax tree of a file."""
    return cache(lambda path: tuple(ast.walk(ast.parse(path.read_text("utf-8")))))

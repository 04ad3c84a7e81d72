"""Where the source of an installed module lies."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from cfbench.errors import PluginError


@cache
def source_of(module: str) -> Path:
    """Find the file of ``module`` without importing its parents, as importing would.

    Raises PluginError where there is no such module, or none of Python source.
    """
    search: list[str] | None = None
    origin: str | None = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        specs = (finder.find_spec(name, search) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next((found for found in specs if found is not None), None)
        if spec is None:
            raise PluginError(f"there is no module {name!r}")
        origin = spec.origin
        search = list(spec.submodule_search_locations or [])
    if origin is None or not origin.endswith(".py"):
        raise PluginError(f"module {module!r} has no Python source file to read ({origin})")
    return Path(origin)

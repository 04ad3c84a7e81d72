"""Source files of installed modules, found without importing anything."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from cfbench.errors import PluginError


@cache
def source_of(module: str) -> Path:
    """Return the file that importing ``module`` would execute.

    Raises PluginError where there is no such module, or none of Python source.
    """
    origin = _located(module)[0]
    if origin is None or not origin.endswith(".py"):
        raise PluginError(f"module {module!r} has no Python source file to read ({origin})")
    return Path(origin)


def folder_of(package: str) -> Path:
    """Return the folder of ``package``, with or without an ``__init__.py``.

    Raises PluginError where there is no such package.
    """
    folders = _located(package)[1]
    if not folders:
        raise PluginError(f"{package!r} is a module, expected a package: a folder")
    return Path(folders[0])


def _located(module: str) -> tuple[str | None, list[str]]:
    """Return the file of ``module``, None for a package without ``__init__.py``, and the folders of the package."""
    origin, search, name = None, sys.path, ""
    for part in module.split("."):
        path, name = (search, f"{name}.{part}") if name else (None, part)
        spec = None
        for finder in sys.meta_path:
            with suppress(AttributeError, KeyError):  # an old finder, or a parent that is not imported
                spec = spec or finder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            origin, search = spec.origin, list(spec.submodule_search_locations or [])
            continue
        # A package without __init__.py: its spec knows its folders only once its parent is imported.
        origin, search = None, [str(Path(place) / part) for place in search if (Path(place) / part).is_dir()]
        if not search:
            raise PluginError(f"there is no module {name!r}")
    return origin, search

"""Where the source of an installed module lies."""

from __future__ import annotations

import sys
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from cfbench.errors import PluginError


@cache
def source_of(module: str) -> Path:
    """Find the file of ``module`` without importing its parents, as importing would.

    Raises PluginError where there is no such module, or none of Python source.
    """
    origin = _found(module)[0]
    if origin is None or not origin.endswith(".py"):
        raise PluginError(f"module {module!r} has no Python source file to read ({origin})")
    return Path(origin)


def folder_of(package: str) -> Path:
    """Find the folder of ``package``, with or without an ``__init__.py``, without importing anything.

    Raises PluginError where there is no such package.
    """
    folders = _found(package)[1]
    if not folders:
        raise PluginError(f"{package!r} is a module, expected a package: a folder")
    return Path(folders[0])


def _found(module: str) -> tuple[str | None, list[str]]:
    """Return the file of a module, and the folders that it is the package of."""
    origin, folders = None, list[str]()
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name, search = ".".join(parts[:depth]), folders if depth > 1 else None
        spec = _spec(name, search)
        if spec is not None and spec.origin is not None:
            origin, folders = spec.origin, list(spec.submodule_search_locations or [])
        else:
            origin, folders = None, _folders(parts[depth - 1], search)
        if origin is None and not folders:
            raise PluginError(f"there is no module {name!r}")
    return origin, folders


def _spec(name: str, search: list[str] | None) -> ModuleSpec | None:
    """Ask the finders; a package without ``__init__.py`` is found only once its parent is imported."""
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, search)
        except (AttributeError, KeyError):
            continue
        if found is not None:
            return found
    return None


def _folders(name: str, search: list[str] | None) -> list[str]:
    """Return the folders of a package without ``__init__.py``; its spec knows them only once its parent is imported."""
    places = (Path(place) / name for place in (sys.path if search is None else search))
    return [str(place) for place in places if place.is_dir()]

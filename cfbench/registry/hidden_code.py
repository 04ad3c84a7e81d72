"""Hidden code: what Python would import in place of a distribution's modules, and what lies unlisted among them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cfbench.errors import PluginError
from cfbench.files.digests import written_before
from cfbench.registry.declaration import located
from cfbench.registry.distributions import MADE, NO_CODE, Copy, files_below

_LOADED = re.compile(r"\.(pyc?|so(\.\d+)*)$").search  # by Python, or by the linker where a library asks for it


def hiding_modules(copy: Copy, *, python: bool) -> dict[str, Path]:
    """Return the file or folder that is imported in place of each hidden module of a distribution.

    Finders are asked anew each time; they look again into folders that have changed.

    Args:
        copy: the distribution.
        python: whether modules of Python's own library are asked for too, which every distribution may import.
    """
    found = dict[str, Path]()
    for module in copy.modules:
        parts = module.split(".")
        # A module in a package of somebody else is found; else what is imported is the module, or a package around it.
        for name in (module, *(".".join(parts[:end]) for end in range(1, len(parts)))):
            if file := _imported_file(name):
                if name not in sys.stdlib_module_names and not copy.holds(file):
                    found[module] = _whole(file)
                break
    library = os.path.realpath(Path(os.__file__).parent)
    for module in _ahead_of_python(library) if python else ():
        file = _imported_file(module)
        if file and not os.path.realpath(file).startswith(f"{library}/"):
            found[module] = _whole(file)
    return found


def unlisted_code(copy: Copy, listed: Mapping[str, str], list_written: int) -> Iterator[tuple[str, str]]:
    """Yield name and path of modules and libraries in the folders of a distribution that its installer has not listed.

    Folders that nobody has touched since the list was written hold none: whoever adds a file touches its folder.

    Args:
        copy: the distribution, not an editable one.
        listed: the paths of its files by name.
        list_written: when the list was written (ns).
    """
    own, folders = tuple(f"{folder}/" for folder in copy.own_folders), set[str]()
    left = {name.rpartition("/")[0] for name in listed}
    while left := left - folders - {""}:
        folders |= left
        left = {folder.rpartition("/")[0] for folder in left}
    for folder in sorted(folders):
        place = f"{copy.folder}/{folder}"
        if not (f"{folder}/".startswith(own) or folder.endswith(".libs")) or _unchanged(place, list_written):
            continue
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                known = MADE.fullmatch(entry.name) or f"{folder}/{entry.name}" in folders
                for below, path in () if known else files_below(entry.path):
                    if _LOADED(path) and (name := f"{folder}/{below}") not in (copy.listed or ()):
                        yield name, path


def _unchanged(folder: str, moment: int) -> bool:
    with suppress(OSError):
        found = os.stat(folder)  # noqa: PTH116 - as in state_of
        return written_before((0, found.st_mtime_ns, found.st_ctime_ns, 0), moment)
    return True


def _imported_file(module: str) -> Path | None:
    """Return what importing a module would read: its file, or the archive that holds it; None where there is none."""
    with suppress(PluginError):
        file = Path(located(module)[0] or "")
        if file.is_absolute():  # not "built-in" or "frozen"
            return file
    return None


def _whole(file: Path) -> Path:
    """Return what counts with a module's ``file``: its package, or the archive that it lies in."""
    archive = next((place for place in file.parents if place.is_file()), None)
    return archive or (file.parent if file.name.startswith("__init__.") else file)


def _ahead_of_python(library: str) -> list[str]:
    """Return the names of modules of Python's own ``library`` that lie in folders ahead of it on the import path."""
    names = set[str]()
    for folder in filter(None, sys.path):
        if os.path.realpath(folder) == library:
            break
        with suppress(OSError):
            names |= {entry.name.partition(".")[0] for entry in Path(folder).iterdir()}
    return sorted(name for name in names & sys.stdlib_module_names if not NO_CODE.fullmatch(name))

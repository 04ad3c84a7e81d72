"""Code of this installation, as files and folders: what a confined process has to read in order to run models."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import all_suffixes
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cfbench

_EMBEDDED = Path(cfbench.__file__).parent / "data" / "sources" / "embedded"  # ratings, test rows among them
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix/store", "/gnu/store")
_SYSTEM_STATE = ("/run/systemd/resolve", "/var/cache/fontconfig")
_LIBRARY_VARIABLES = ("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX", "JAVA_HOME", "R_HOME")
_SUFFIXES = tuple(all_suffixes())
_HISTORIES = (".git", ".hg", ".svn", ".jj")  # which hold whatever was ever committed, data among it


@dataclass(frozen=True)
class ReadableCode:
    """Code that may be read, as paths.

    Attributes:
        readable: files, and folders with all that they hold.
        listed: folders whose content the import system lists, and which hold more than code.
    """

    readable: tuple[str, ...]
    listed: tuple[str, ...]


def readable_code(hidden: tuple[str, ...] = ()) -> ReadableCode:
    """Return the system's programs and libraries, the interpreter, and what is installed, as this process finds it.

    Of a checkout that is installed, and of any other folder on ``sys.path``, only packages and modules are code: data,
    results and notes may lie beside them.

    Args:
        hidden: files and folders that are left out where they lie within code. The ratings that cfbench embeds are
            always among them.
    """
    return _found(hidden, tuple(path for path in sys.path if path))


@cache
def _found(hidden: Sequence[str], paths: Sequence[str]) -> ReadableCode:
    searched = [Path(path).resolve() for path in paths]
    from_environment = [path for name in _LIBRARY_VARIABLES for path in os.environ.get(name, "").split(os.pathsep)]
    named = (*_SYSTEM, *_SYSTEM_STATE, *from_environment, sys.prefix, sys.base_prefix, str(Path(os.__file__).parent))
    whole = {Path(path).resolve() for path in named if path}
    whole |= {path for path in searched if path.is_file() or any(path.glob("*.dist-info"))} | set(_editable(searched))
    mixed = [path for path in searched if not any(map(path.is_relative_to, whole))]
    code = whole.union(*map(_modules, mixed))
    histories = (root / name for root in code for name in _HISTORIES)
    closed = [_EMBEDDED.resolve(), *(Path(path).resolve() for path in hidden), *filter(os.path.isdir, histories)]
    roots = [path for path in code if not any(folder in code for folder in path.parents)]
    parts = [part for root in roots for part in _open_parts(root, closed)]
    listed = [*mixed, *(path for path, complete in parts if not complete)]
    return ReadableCode(tuple(str(path) for path, complete in parts if complete), tuple(map(str, listed)))


def _modules(folder: Path, *, nested: bool = True) -> Iterator[Path]:
    """Yield the packages and modules in ``folder`` with their metadata, and those in packages without a file."""
    with suppress(OSError):
        for entry in folder.iterdir():
            module = entry.name.endswith(_SUFFIXES) and entry.is_file()
            metadata = entry.suffix in (".egg-info", ".dist-info")
            if module or metadata or any((entry / f"__init__{end}").is_file() for end in _SUFFIXES):
                yield entry.resolve()
            elif nested and entry.name.isidentifier():
                yield from _modules(entry, nested=False)


def _editable(searched: Sequence[Path]) -> Iterator[Path]:
    """Yield the sources of editable installs that other finders than ``sys.path`` lead to."""
    mapped = [
        Path(f"{path}{end}").resolve()
        for name, module in list(sys.modules.items())
        if name.startswith("__editable__")  # setuptools' finders
        for path in getattr(module, "MAPPING", {}).values()
        for end in ("", *_SUFFIXES)
    ]
    yield from filter(Path.exists, mapped)
    origins = [origin for path in searched for origin in path.glob("*.dist-info/direct_url.json")]
    for file in {origin.parent.name.partition("-")[0]: origin for origin in reversed(origins)}.values():
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # what others have written
            origin = json.loads(file.read_text(encoding="utf-8"))
            project = Path(unquote(urlsplit(origin["url"]).path)).resolve()
            if origin["dir_info"]["editable"] and not any(one.is_relative_to(project) for one in (*searched, *mapped)):
                yield project  # its build system alone knows which files it uses


def _open_parts(root: Path, closed: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield the largest folders and files below ``root`` that hold nothing ``closed``, and True with each.

    Folders that were divided come with False. What ``closed`` folders lie around ``root`` do not close it: there is no
    running without code.
    """
    within = [path for path in closed if root in path.parents]
    yield root, not within
    with suppress(OSError):
        for entry in root.iterdir() if within else ():
            if entry not in within and not entry.is_symlink():
                yield from _open_parts(entry, within)

"""Isolation of a cell's process: a sandbox keeps it from what is not its own, and its home is private.

**Sandbox.** No writing into the run's folder or the data, no signals to processes that are not its own. Linux alone can
be asked for that without privileges, by its Landlock module (5.13 and later, signals from 6.12 on;
https://docs.kernel.org/userspace-api/landlock.html). Elsewhere a cell is kept apart by its process alone.

**Home.** Libraries write caches and settings there, and never into the user's home. Every plugin distribution has a
persistent home in cfbench's cache folder. Only imports and warm-ups write to it, before any rating was seen. A cell
works in a copy of its own, which goes with the cell: what one fold's training rows taught a model must not reach the
next fold, whose test rows they are. Libraries remember paths when they are imported, and cells are forked from the
process that imported them. On Linux that process therefore names its home ``/proc/self/fd/N``: a path that leads every
process to the folder it holds open there.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cfbench.files.user_folders import cache_folder

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, by the same number on every architecture
_VERSION_QUERY, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVILEGES = 38
_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))  # removing and making entries of every kind
_SINCE_REFER, _SINCE_TRUNCATE, _SINCE_SCOPES = 2, 3, 6
_SCOPE_SIGNALS = 1 << 1

_LOWEST_DESCRIPTOR = 180  # above what a process opens while it starts, below the usual limit of 1024
_held: list[int] = []  # the descriptor of this process's home, once there is one
_VARIABLES = {
    "HOME": "",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "CUDA_CACHE_PATH": ".nv/ComputeCache",
    "TRITON_CACHE_DIR": ".triton/cache",
    "TRITON_HOME": "",
    "HF_HOME": ".cache/huggingface",
    "HF_DATASETS_CACHE": ".cache/huggingface/datasets",
    "HF_HUB_CACHE": ".cache/huggingface/hub",
    "SENTENCE_TRANSFORMERS_HOME": ".cache/sentence_transformers",
    "IPYTHONDIR": ".ipython",
    "JUPYTER_CONFIG_DIR": ".jupyter",
    "MPLCONFIGDIR": ".config/matplotlib",
    "IR_DATASETS_HOME": ".ir_datasets",
    "NLTK_DATA": ".cache/nltk",
    "SCIKIT_LEARN_DATA": ".cache/scikit_learn",
    "SURPRISE_DATA_FOLDER": ".surprise_data",
    "JAX_COMPILATION_CACHE_DIR": ".cache/jax",
    "NUMBA_CACHE_DIR": ".cache/numba",
    "KERAS_HOME": ".keras",
    "TFHUB_CACHE_DIR": ".cache/tfhub",
    "TORCH_HOME": ".cache/torch",
    "TORCHINDUCTOR_CACHE_DIR": ".cache/torchinductor",
    "TORCH_EXTENSIONS_DIR": ".cache/torch_extensions",
}
"""Environment variables that name folders libraries write to, with their place below the home."""


def landlock_version() -> int:
    """Return the version of Landlock that the kernel offers, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_QUERY)))


def confine(protected: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Deny this process, and all that it will start, to write below ``protected``, except below ``writable``.

    Nothing else on the disk changes hands, but entries that are made later beside a protected folder, or beside one
    of its parents, cannot be written either: Landlock knows permissions only. Signals then reach the process's own
    children alone.

    Returns whether the kernel could do it; nothing is denied where it could not.
    """
    version, libc = landlock_version(), ctypes.CDLL(None)
    if version == 0:
        return False
    in_files = _WRITE_FILE | (_TRUNCATE if version >= _SINCE_TRUNCATE else 0)
    rights = in_files | _CHANGE_FOLDER | (_REFER if version >= _SINCE_REFER else 0)
    attributes = struct.pack("QQQ", rights, 0, _SCOPE_SIGNALS) if version >= _SINCE_SCOPES else struct.pack("Q", rights)
    rules = int(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    if rules < 0:
        return False
    try:
        for path in (*_everything_but([folder.resolve() for folder in protected]), *writable):
            with suppress(OSError):  # what vanishes meanwhile, or cannot be opened, needs no permission
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
                rule = struct.pack("=Qi", rights if path.is_dir() else in_files, descriptor)
                libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
                os.close(descriptor)
        return bool(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _everything_but(protected: list[Path]) -> Iterator[Path]:
    """Yield the largest folders and files that together hold everything but the ``protected`` folders."""
    closed = {parent for path in protected for parent in (path, *path.parents)}
    if not closed:
        yield Path("/")
    within = {path for path in closed if any(path.is_relative_to(folder) for folder in protected)}
    for parent in closed - within:
        with suppress(OSError):
            yield from (entry for entry in parent.iterdir() if entry not in closed and not entry.is_symlink())


def persistent_home(distribution: str, fallback: Path) -> Path:
    """Return the home of a plugin distribution's imports and warm-ups, made where it is missing.

    It lies below ``fallback`` where the cache folder cannot be written to.
    """
    name = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", distribution)
    if name != distribution:  # a name that was altered must not meet another that was not
        name += "-" + hashlib.sha256(distribution.encode()).hexdigest()[:8]
    home = cache_folder().absolute() / "homes" / name
    with suppress(OSError):  # no home at all, a full disk, a file in its place: the run must not depend on it
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = home.lstat()
        # In a cache that others can write to, a home that another prepared could hold what libraries would run.
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if mine and os.access(home, os.W_OK | os.X_OK):
            return home
    home = fallback / f"home-{name}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def home_variables(home: str | Path) -> dict[str, str]:
    """Return the environment variables that make ``home`` the home of a process and of the libraries it imports."""
    return {name: os.path.normpath(f"{home}/{below}") for name, below in _VARIABLES.items()}


def move_in(home: Path) -> None:
    """Make ``home`` the home of this process, by a path that its forks can redirect where the system has one."""
    os.environ.update(home_variables(_held_open(home) or home))


def move_into_copy(home: Path, copy: Path) -> None:
    """Make ``copy``, a copy of ``home``, the home of this process, which was forked from one whose home is ``home``."""
    with suppress(OSError):  # another process may change the home meanwhile, or the disk be full: a cache is no answer
        shutil.copytree(home, copy, symlinks=True, dirs_exist_ok=True)
    copy.mkdir(parents=True, exist_ok=True)
    _held_open(copy)
    os.environ.update(home_variables(copy))


def _held_open(folder: Path) -> str | None:
    """Hold ``folder`` open and return the path that leads there from this process, None where there is none."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        if not _held:  # a number that nothing else has, kept by all forks
            _held.append(fcntl.fcntl(opened, fcntl.F_DUPFD, _LOWEST_DESCRIPTOR))
            _let_children_inherit(_held[0])
        os.dup2(opened, _held[0])
        os.close(opened)
        path = f"/proc/self/fd/{_held[0]}"
        return path if Path(path).samefile(folder) else None
    return None


def _let_children_inherit(descriptor: int) -> None:
    """Keep ``descriptor`` open in what this process and its forks start by :mod:`subprocess`.

    A compiler that a library calls is given paths of the cache folder that the library found when it was imported.
    """
    start = subprocess.Popen.__init__

    def start_with_home(self: Any, *args: Any, **options: Any) -> None:
        if options.get("close_fds", True):
            options["pass_fds"] = (*options.get("pass_fds", ()), descriptor)
        start(self, *args, **options)

    subprocess.Popen.__init__ = start_with_home  # type: ignore[method-assign]

"""Isolation of a cell's process: a sandbox keeps it from what is not its own, and its home is private.

**Sandbox.** No writing into the run's folder or the data, no signals to processes that are not its own. Linux alone can
be asked for that without privileges, by its Landlock module (5.13 and later, signals from 6.12 on;
https://docs.kernel.org/userspace-api/landlock.html). Elsewhere a cell is kept apart by its process alone.

**Home.** Libraries write caches and settings there, and never into the user's home. Every plugin distribution has a
persistent home in cfbench's cache folder, see :mod:`cfbench.execution.import_home`. A cell works in a copy of its own,
which goes with the cell: what one fold's training rows taught a model must not reach the next fold, whose test rows
they are. Libraries remember paths when they are imported, and cells are forked from the process that imported them. On
Linux that process therefore names its home ``/proc/self/fd/N``: a path that leads every process to the folder it holds
open there.
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
from functools import cache
from pathlib import Path
from typing import Any

from cfbench.execution.system_calls import filter_calls
from cfbench.files.guarded_reading import open_plain
from cfbench.files.user_folders import cache_folder

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, by the same number on every architecture
_VERSION_QUERY, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVILEGES = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = (1 << bit for bit in range(4))
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))  # removing and making entries of every kind
_MAKE_DEVICE = 1 << 6 | 1 << 11  # by which the superuser would reach whole disks
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_TCP = 0b11  # binding and connecting
_SCOPES = 0b11  # abstract Unix sockets and signals
_SINCE_REFER, _SINCE_TRUNCATE, _SINCE_NETWORK, _SINCE_SCOPES = 2, 3, 4, 6
_DROP_FROM_BOUND, _CAPABILITY_VERSION, _MOST_CAPABILITIES, _OVERRIDE_MODES = 24, 0x20080522, 64, 1
_DEVICES = ("null", "zero", "full", "random", "urandom", "nvidia*", "dri", "kfd", "dxg", "accel*")
_SYSTEM = ("/sys", "/proc")  # of another process, the kernel shows its name, command and figures alone

PROTECTIONS = ("writes", "reads", "network", "signals", "system-calls")
"""Names of what a kernel may hold, see :func:`confine`.

``writes``: nothing is written but what is its own; ``reads``: nothing is read but what it needs; ``network``: no
connections; ``signals``: none to other processes; ``system-calls``: none that would pass these, or leave notes.
"""

_filtered: list[set[str]] = []  # what the filter of this process's system calls holds, once there is one

_TEMPORARY = ".cache/tmp"  # temporary files of imports, below their home
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


def confine(
    writable: Iterable[str | Path],
    readable: Iterable[str | Path] | None,
    *,
    listed: Iterable[str | Path] = (),
    network: bool = False,
) -> tuple[str, ...]:
    """Deny this process, and all that it will start, everything that is not named here; for good.

    A process that is confined again loses more: nothing that was denied before comes back.

    Args:
        writable: files and folders, with all that they hold, that it may read, change and add to. Devices that hold
            nothing (``/dev/null``) and accelerators are always among them.
        readable: what it may read besides, folders with all that they hold; None for everything. What libraries need
            of the system is always among it.
        listed: folders whose content it may list, with that of all folders below, but not read.
        network: whether it may open connections. Signals reach the process's own children alone in any case.

    Returns the names of what holds from now on, of ``PROTECTIONS``; none where the kernel can do nothing of it.
    """
    if sys.platform != "linux":
        return ()
    _drop_privileges()
    held = _restrict_files(writable, readable, listed, network=network) if landlock_version() else set()
    if not _filtered and filter_calls(network=network):
        _filtered.append({"system-calls"} if network else {"system-calls", "network"})
    held = held.union(*_filtered)
    return tuple(name for name in PROTECTIONS if name in held)


@cache
def protections(*, network: bool) -> tuple[str, ...]:
    """Return what :func:`confine` holds on this machine, found out by a process that is confined, and ends.

    It is for processes in which no plugin was imported: what a cell says of itself proves nothing.
    """
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        with suppress(BaseException):  # nothing may unwind into the frames of the process that forked this one
            os.write(write, " ".join(confine((), (), network=network)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        held = pipe.read().decode().split()
    os.waitpid(pid, 0)
    return tuple(name for name in PROTECTIONS if name in held)


def _drop_privileges() -> None:
    """Give up the superuser's powers, where this process has them, all but reading and writing others' files."""
    libc = ctypes.CDLL(None)
    for capability in range(_MOST_CAPABILITIES):
        if capability != _OVERRIDE_MODES:
            libc.prctl(_DROP_FROM_BOUND, capability, 0, 0, 0)
    header, current = struct.pack("Ii", _CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    if libc.capget(header, current) == 0:
        effective, permitted, *_ = struct.unpack("6I", current.raw)
        kept = 1 << _OVERRIDE_MODES
        libc.capset(header, struct.pack("6I", effective & kept, permitted & kept, 0, 0, 0, 0))


def _restrict_files(
    writable: Iterable[str | Path],
    readable: Iterable[str | Path] | None,
    listed: Iterable[str | Path],
    *,
    network: bool,
) -> set[str]:
    """Let the kernel's Landlock module restrict this process; return what that holds."""
    version, libc = landlock_version(), ctypes.CDLL(None)
    writing = _WRITE_FILE | _CHANGE_FOLDER | (_REFER if version >= _SINCE_REFER else 0)
    writing |= _TRUNCATE if version >= _SINCE_TRUNCATE else 0
    reading = 0 if readable is None else _EXECUTE | _READ_FILE | _READ_FOLDER
    connecting = _TCP if version >= _SINCE_NETWORK and not network else 0
    scopes = _SCOPES if version >= _SINCE_SCOPES else 0
    attributes = struct.pack("QQQ", writing | reading, connecting, scopes)
    attributes = attributes[: 24 if version >= _SINCE_SCOPES else 16 if version >= _SINCE_NETWORK else 8]
    rules = int(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    if rules < 0:
        return set()
    granted = (writing | reading) & ~_MAKE_DEVICE
    allowed = [(path, granted) for path in (*_devices(), *writable)]
    if readable is not None:
        allowed += [(path, reading) for path in (*_SYSTEM, *readable)]
        allowed += [(path, _READ_FOLDER) for path in listed]
    try:
        for path, rights in allowed:
            with suppress(OSError):  # what vanishes meanwhile, or cannot be opened, needs no permission
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
                folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
                rule = struct.pack("=Qi", rights if folder else rights & _OF_FILES, descriptor)
                libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
                if not str(path).startswith(
                    "/proc/"
                ):  # whose entries the kernel forgets, with their rules, unless held
                    os.close(descriptor)
        if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(_RESTRICT_SELF, rules, 0):
            return set()
    finally:
        os.close(rules)
    held = {"writes": writing, "reads": reading, "network": connecting, "signals": scopes}
    return {name for name, rights in held.items() if rights}


def _devices() -> Iterator[Path]:
    """Yield the devices that a cell may use: those that hold nothing, and accelerators."""
    for pattern in _DEVICES:
        yield from Path("/dev").glob(pattern)


def folder_name(distribution: str) -> str:
    """Return the name of a folder of a distribution's own, whatever its own name is."""
    name = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", distribution)
    if name != distribution:  # a name that was altered must not meet another that was not
        name += "-" + hashlib.sha256(distribution.encode()).hexdigest()[:8]
    return name


def persistent_home(distribution: str, fallback: Path) -> Path:
    """Return the home of a plugin distribution's imports and warm-ups, made where it is missing.

    It lies below ``fallback`` where the cache folder cannot be written to.
    """
    name = folder_name(distribution)
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
    path = _held_open(home) or str(home)
    with suppress(OSError):  # a full disk
        (home / _TEMPORARY).mkdir(parents=True, exist_ok=True)
    os.environ.update(home_variables(path), TMPDIR=f"{path}/{_TEMPORARY}")


def move_into_copy(home: Path, copy: Path) -> None:
    """Make ``copy``, a copy of ``home``, the home of this process, which was forked from one whose home is ``home``."""
    copy_home(home, copy)
    _held_open(copy)
    os.environ.update(home_variables(copy))


def copy_home(home: Path, copy: Path) -> None:
    """Copy folders, plain files and links, as far as that is possible; a disk may be full: a cache is no answer."""
    with suppress(OSError, RecursionError):
        shutil.copytree(home, copy, symlinks=True, dirs_exist_ok=True, copy_function=_copy_file)
    copy.mkdir(parents=True, exist_ok=True)


def _copy_file(source: str, target: str) -> None:
    """Copy a file with its mode, which is given when it is made: the filter of system calls keeps it as it is."""
    with open_plain(source) as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as copy:
            shutil.copyfileobj(file, copy)


def _held_open(folder: Path) -> str | None:
    """Hold ``folder`` open and return the path that leads there from this process, None where there is none."""
    with suppress(OSError):
        # Without O_PATH it would have a position, flags and an owner, which all forks share.
        opened = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
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

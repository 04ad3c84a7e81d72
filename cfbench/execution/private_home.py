"""Private home folders for plugin processes: libraries write caches and settings there, and never into the user's home.

Every plugin distribution has a persistent home in cfbench's cache folder. Only imports and warm-ups write to it, before
any rating was seen. A cell works in a copy of its own, which goes with the cell: what one fold's training rows taught a
model must not reach the next fold, whose test rows they are.

Libraries remember paths when they are imported, and cells are forked from the process that imported them. On Linux that
process therefore names its home ``/proc/self/fd/N``: a path that leads every process to the folder it holds open there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

_LOWEST_DESCRIPTOR = 180  # above what a process opens while it starts, below the usual limit of 1024
_held: list[int] = []  # the descriptor of this process's home, once there is one
_VARIABLES = {
    "HOME": "",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "CUDA_CACHE_PATH": ".nv/ComputeCache",
    "HF_HOME": ".cache/huggingface",
    "HF_DATASETS_CACHE": ".cache/huggingface/datasets",
    "HF_HUB_CACHE": ".cache/huggingface/hub",
    "IPYTHONDIR": ".ipython",
    "IR_DATASETS_HOME": ".ir_datasets",
    "JAX_COMPILATION_CACHE_DIR": ".cache/jax",
    "JUPYTER_CONFIG_DIR": ".jupyter",
    "KERAS_HOME": ".keras",
    "MPLCONFIGDIR": ".config/matplotlib",
    "NLTK_DATA": ".cache/nltk",
    "NUMBA_CACHE_DIR": ".cache/numba",
    "SCIKIT_LEARN_DATA": ".cache/scikit_learn",
    "SENTENCE_TRANSFORMERS_HOME": ".cache/sentence_transformers",
    "SURPRISE_DATA_FOLDER": ".surprise_data",
    "TFHUB_CACHE_DIR": ".cache/tfhub",
    "TORCHINDUCTOR_CACHE_DIR": ".cache/torchinductor",
    "TORCH_EXTENSIONS_DIR": ".cache/torch_extensions",
    "TORCH_HOME": ".cache/torch",
    "TRITON_CACHE_DIR": ".triton/cache",
    "TRITON_HOME": "",
}
"""Environment variables that name folders libraries write to, with their place below the home."""


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

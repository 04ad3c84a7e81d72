"""A running fork server as the supervisor sees it: its start, the requests to it, its events, its end."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cfbench.data.sources.source import cache_folder
from cfbench.execution.pipe_events import parse_event, widen
from cfbench.execution.task import Task

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
_WITHHELD = "CFBENCH_DATA"  # models must not read the true test ratings
_END_SECONDS, _END_OF_IMPORT_SECONDS = 5.0, 0.1  # a server that imports does not notice the end of its input


class ForkServerClient:
    """One running fork server.

    Attributes:
        process: the server.
        events: the descriptor that its events are read from.
        requested: the models that it was asked to import.
        importing: the model that it imports now, empty where none.
        busy_since: when that began, by the monotonic clock; 0 where it imports nothing.
    """

    def __init__(self, task: Task) -> None:
        """Start the server of a task's distribution.

        It must import the very code that this process has read and vouches for: from the same path, and not whatever
        lies in the current folder.
        """
        outputs = Path(task.folder).parent
        home = persistent_home(task.distribution, outputs)
        environment = {name: value for name, value in os.environ.items() if name != _WITHHELD}
        environment |= dict.fromkeys(_THREAD_VARIABLES, str(task.threads))
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self.events, write = os.pipe()
        with Path(task.log).open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "cfbench.execution.fork_server", str(write), str(home)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,  # an interrupt at the terminal reaches the supervisor alone
                env=environment,
            )
        os.close(write)
        assert self.process.stdin is not None
        self._stdin = self.process.stdin
        widen(self.events)
        widen(self._stdin.fileno())  # a server that imports does not read, and is not waited for
        self.requested = set[str]()
        self.importing = ""
        self.busy_since = time.monotonic()
        self._partial = b""
        self.send(confine=list(task.protected), writable=[str(outputs), str(home)])

    def send(self, **request: object) -> None:
        """Send a request; :mod:`cfbench.execution.fork_server` lists them."""
        with suppress(BrokenPipeError):  # the server has died; the end of its events tells how
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()

    def prepare(self, models: Sequence[str], *, energy: bool) -> None:
        """Let the server import classes, ``package.module:Class`` each, ahead of their cells."""
        self.requested.update(models)
        self.busy_since = time.monotonic()
        self.send(prepare=list(models), energy=energy)

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the events that have arrived; None where the server has gone."""
        data = os.read(self.events, 65536)
        if not data:
            return None
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [event for line in lines if (event := parse_event(line)) is not None]

    def close(self) -> int:
        """End the server with all that it started; return its exit code."""
        os.close(self.events)
        with suppress(BrokenPipeError):  # a dead server reads nothing; closing was all that was wanted
            self._stdin.close()
        try:
            self.process.wait(timeout=_END_OF_IMPORT_SECONDS if self.busy_since else _END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.process.returncode


def persistent_home(distribution: str, fallback: Path) -> Path:
    """Return the home of a plugin distribution's imports and warm-ups, made where it is missing.

    It lies below ``fallback`` where the cache folder cannot be written to.
    """
    name = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", distribution)
    if name != distribution:  # a name that was altered must not meet another that was not
        name += "-" + hashlib.sha256(distribution.encode()).hexdigest()[:8]
    home = cache_folder().absolute() / "homes" / name
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = home.lstat()
        # In a cache that others can write to, a home that another prepared could hold what libraries would run.
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if mine and os.access(home, os.W_OK | os.X_OK):
            return home
    except OSError:  # no home at all, a full disk, a file in its place: the run must not depend on it
        pass
    home = fallback / f"home-{name}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home

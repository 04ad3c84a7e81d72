"""The program that a plugin's cells are forked from, so that its heavy imports are paid once.

``python -m cfbench.execution.fork_server EVENTS_FD HOME`` reads requests as JSON lines from standard input and writes
events as JSON lines to the inherited descriptor. Every cell gets a warden, which is forked from here and forks the
cell. End of input ends the server and all that it started: no cell outlives the run.

There is one server per plugin distribution: a plugin that spoils its process spoils its own cells only.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cfbench.execution.events import LONGEST_TEXT, tell
from cfbench.execution.fit_and_predict import prepare
from cfbench.execution.private_home import move_in
from cfbench.execution.process_tree import adopt_orphans, die_with_the_parent, kill_descendants
from cfbench.execution.sandbox import confine
from cfbench.execution.task import Task
from cfbench.execution.watchdog import guard
from cfbench.resources.energy import warm_up

_STDIN = 0  # read unbuffered: lines waiting in a Python buffer would be invisible to select


def main(events: int, home: Path) -> None:
    """Serve until standard input ends; what imports and warm-ups write to their home lands in ``home``."""
    die_with_the_parent()  # end of input says the same, but is not heard while a library that hangs is imported
    adopt_orphans()
    move_in(home)
    os.set_inheritable(events, False)
    os.set_blocking(events, False)  # for the wardens too: they inherit it
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    for stream in (sys.stdout, sys.stderr):  # so that a cell that crashes has said all that it printed
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    selector = selectors.DefaultSelector()
    selector.register(_STDIN, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    wardens: dict[int, Task] = {}
    partial = b""
    while True:
        for key, _ in selector.select():
            if key.fd == wake_read:
                os.read(wake_read, 4096)
                _reap(wardens, events)
            elif data := os.read(_STDIN, 65536):
                *lines, partial = (partial + data).split(b"\n")
                for line in lines:
                    _obey(json.loads(line), wardens, events, home)
            else:
                _dismiss(wardens)
                return


def confine_line(protected: Sequence[str], writable: Sequence[str]) -> bytes:
    """Return the request to give up writing below ``protected``, except below ``writable``; to be made once."""
    return json.dumps({"confine": list(protected), "writable": list(writable)}).encode() + b"\n"


def prepare_line(models: Sequence[str], *, energy: bool) -> bytes:
    """Return the request to import classes, ``package.module:Class`` each, ahead of their cells.

    With ``energy`` the meter is made ready too.
    """
    return json.dumps({"prepare": list(models), "energy": energy}).encode() + b"\n"


def run_line(task: Task) -> bytes:
    """Return the request to carry out a task."""
    return json.dumps({"run": asdict(task)}).encode() + b"\n"


def _obey(request: dict[str, Any], wardens: dict[int, Task], events: int, home: Path) -> None:
    if "run" in request:
        _start(Task.of(request["run"]), wardens, events, home)
    elif "confine" in request:
        confine([Path(path) for path in request["confine"]], [Path(path) for path in request["writable"]])
    else:
        for model in request["prepare"]:
            tell(events, "", event="importing", name=model[:LONGEST_TEXT])
            _preload(model)
        if request["energy"]:
            warm_up()
        tell(events, "", event="prepared")


def _start(task: Task, wardens: dict[int, Task], events: int, home: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        guard(task, events, server, home)
    wardens[pid] = task


def _preload(model: str) -> None:
    """Import the model's libraries here once; a failure shows again, and is reported, in the cell."""
    try:
        prepare(model, model)
    except (Exception, SystemExit):
        traceback.print_exc()


def _reap(wardens: dict[int, Task], events: int) -> None:
    """Take leave of the wardens that have ended; one that did not end by itself has left its cell to this process."""
    for pid in list(wardens):
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            continue
        task = wardens.pop(pid)
        if code := os.waitstatus_to_exitcode(status):
            kill_descendants(os.getpid(), spared=frozenset(wardens))
            tell(events, task.name, event="lost", code=code)


def _dismiss(wardens: Iterable[int]) -> None:
    """Let wardens end what they keep; then end whatever else was started here.

    Wardens are asked, not killed: when a run is killed, so is this process a moment after the end of its input, and
    what they keep would be nobody's.
    """
    for pid in wardens:
        os.kill(pid, signal.SIGTERM)
    for pid in wardens:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    kill_descendants(os.getpid())


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

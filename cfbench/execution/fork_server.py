"""Fork server: the program that a plugin's cells are forked from, so that its heavy imports are paid once.

``python -m cfbench.execution.fork_server EVENTS_FD HOME`` reads requests as JSON lines from standard input and writes
events as JSON lines to the inherited descriptor:

* ``{"confine": CODE, "writable": [PATH, ...], "readable": [PATH, ...], "network": BOOL}`` gives up whatever is not
  named; once. ``CODE``, the fields of ``ReadableCode``, is what its cells may read beside their own.
* ``{"prepare": ["package.module:Class", ...], "energy": BOOL}`` imports classes ahead of their cells and, where asked
  for, readies the meter of energy.
* ``{"run": TASK}`` carries a task out.

Every cell gets a watchdog, which is forked from here and forks the cell. End of input ends the server and all that it
started: no cell outlives the run. There is one server per plugin distribution: a plugin that spoils its process spoils
its own cells only.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from cfbench.execution.cell_process import guard
from cfbench.execution.contract import Task
from cfbench.execution.fit_and_predict import prepare
from cfbench.execution.pipe_events import LONGEST_TEXT, send
from cfbench.execution.process_tree import adopt_orphans, die_with_the_parent, kill_descendants
from cfbench.execution.sandbox import confine, move_in
from cfbench.resources.energy import warm_up

_STDIN = 0  # read unbuffered: lines waiting in a Python buffer would be invisible to select


def main(events: int, home: Path) -> None:
    """Serve until standard input ends; what imports and warm-ups write to their home lands in ``home``."""
    die_with_the_parent()  # end of input means the same, but goes unnoticed while a library that hangs is imported
    adopt_orphans()
    move_in(home)
    os.set_inheritable(events, False)
    os.set_blocking(events, False)  # for the watchdogs too: they inherit it
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    for stream in (sys.stdout, sys.stderr):  # so that the log of a cell that crashes has all that it printed
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    selector = selectors.DefaultSelector()
    selector.register(_STDIN, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    watchdogs: dict[int, Task] = {}
    code: dict[str, list[str]] = {}
    partial = b""
    while True:
        for key, _ in selector.select():
            if key.fd == wake_read:
                os.read(wake_read, 4096)
                _reap(watchdogs, events)
            elif data := os.read(_STDIN, 65536):
                *lines, partial = (partial + data).split(b"\n")
                for line in lines:
                    _obey(json.loads(line), watchdogs, events, home, code)
            else:
                _end(watchdogs)
                return


def _obey(
    request: dict[str, Any], watchdogs: dict[int, Task], events: int, home: Path, code: dict[str, list[str]]
) -> None:
    if "confine" in request:
        code.update(request["confine"])
        confine(request["writable"], request["readable"], listed=code["listed"], network=request["network"])
    elif "prepare" in request:
        for model in request["prepare"]:
            send(events, "", event="importing", name=model[:LONGEST_TEXT])
            try:
                prepare(model, model)
            except (Exception, SystemExit):  # it fails again, and is reported, in the cell
                traceback.print_exc()
        if request["energy"]:
            warm_up()
        send(events, "", event="prepared")
    else:
        task, server = Task.of(request["run"]), os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            guard(task, events, server, home, code)
        watchdogs[pid] = task


def _reap(watchdogs: dict[int, Task], events: int) -> None:
    """Reap watchdogs that have ended; one that was killed has left its cell to this process, which ends it."""
    for pid in list(watchdogs):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            task = watchdogs.pop(pid)
            if code := os.waitstatus_to_exitcode(status):
                kill_descendants(os.getpid(), spared=frozenset(watchdogs))
                send(events, task.name, event="lost", code=code)


def _end(watchdogs: dict[int, Task]) -> None:
    """Let watchdogs end their cells; then end whatever else was started here.

    They are asked, not killed: when a run is killed, so is this process a moment after the end of its input, and their
    cells would have nobody left to end them.
    """
    for pid in watchdogs:
        os.kill(pid, signal.SIGTERM)
    for pid in watchdogs:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    kill_descendants(os.getpid())


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

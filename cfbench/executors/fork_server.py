"""The program that a plugin's cells are forked from, so that its heavy imports are paid once.

``python -m cfbench.executors.fork_server EVENTS_FD`` reads tasks as JSON lines from standard input, one child each,
and writes events as JSON lines to the inherited descriptor. A line is shorter than ``PIPE_BUF``, so children may
write to one pipe without tearing. End of input stops the server and its children: no cell outlives the run.

There is one server per plugin distribution: a plugin that spoils its process spoils its own cells only.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from cfbench.contracts import EpochReport
from cfbench.executors.task import Task
from cfbench.executors.work import deliver, perform, prepare

_PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>
_STDIN = 0  # read unbuffered: lines waiting in a Python buffer would be invisible to select


def main(events: int) -> None:
    """Serve until standard input ends."""
    os.set_inheritable(events, False)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    selector = selectors.DefaultSelector()
    selector.register(_STDIN, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    children: dict[int, Task] = {}
    partial = b""
    while True:
        for key, _ in selector.select():
            if key.fd == wake_read:
                os.read(wake_read, 4096)
                _reap(children, events)
            elif data := os.read(_STDIN, 65536):
                *lines, partial = (partial + data).split(b"\n")
                for line in lines:
                    _obey(json.loads(line), children, events)
            else:
                _kill_all(children)
                return


def prepare_line(models: Sequence[str]) -> bytes:
    """Return the request to import classes, ``package.module:Class`` each, ahead of their cells."""
    return json.dumps({"prepare": list(models)}).encode() + b"\n"


def run_line(task: Task) -> bytes:
    """Return the request to carry out a task."""
    return json.dumps({"run": asdict(task)}).encode() + b"\n"


def _obey(request: dict[str, Any], children: dict[int, Task], events: int) -> None:
    if "run" in request:
        _start(Task.of(request["run"]), children, events)
    else:
        for model in request["prepare"]:
            _preload(model)
        tell(events, event="prepared", task="")


def tell(events: int, **event: object) -> None:
    """Write one event line."""
    os.write(events, json.dumps(event).encode() + b"\n")


def _start(task: Task, children: dict[int, Task], events: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _child(task, events)
    children[pid] = task
    tell(events, event="started", task=task.name, pid=pid)


def _preload(model: str) -> None:
    """Import the model's libraries here once; a failure shows again, and is reported, in the child."""
    try:
        prepare(model, model)
    except (Exception, SystemExit):
        traceback.print_exc()


def _child(task: Task, events: int) -> NoReturn:
    """Carry out the task in a session of its own, so that whatever it starts can be ended with it."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _die_with_the_server()
        _redirect(Path(task.log))

        def report(epoch: EpochReport) -> None:
            tell(events, event="epoch", task=task.name, **vars(epoch))

        deliver(perform(task, report))
        code = 0
    except BaseException:  # nothing may unwind into the server's own frames
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_the_server() -> None:
    """Ask the kernel to kill this process when its parent dies; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _redirect(log: Path) -> None:
    """Send what the model prints to its log, and give it no input."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _reap(children: dict[int, Task], events: int) -> None:
    for pid in list(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            task = children.pop(pid)
            _kill_session(pid)
            tell(events, event="exited", task=task.name, code=os.waitstatus_to_exitcode(status))


def _kill_session(pid: int) -> None:
    """End what a child left running."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _kill_all(children: dict[int, Task]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        _kill_session(pid)


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Hand-over of a cell's inputs: it can open none of them, and its watchdog sends them open.

What a fork server may open, all of its cells might, other folds' rows too. The pairs to predict come when the cell has
written its lists among its answers and has said so; the watchdog, in which no plugin code runs, takes their digest
before. Lists that are others when the cell has ended cost the cell.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cfbench.execution.contract import Task
from cfbench.execution.outcome_file import digests_of, write_arrays
from cfbench.execution.pipe_events import event_line
from cfbench.inference.inputs import EvaluationInputs, input_files, mapped_array, pairs_file

RANKED = ("lists", "score_means", "item_factors", "rating_range")
"""The arrays of a model's output that are made before it is asked for ratings."""

_AT_ONCE = 200  # descriptors in one message; the kernel takes 253
_HIGH = 512  # or half of the descriptors that a process may have, where that is less


def out_of_the_way(control: int) -> int:
    """Return a duplicate of the descriptor with a high number: careless models close the low ones."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = _HIGH if most == resource.RLIM_INFINITY else min(_HIGH, most // 2)
    return fcntl.fcntl(control, fcntl.F_DUPFD_CLOEXEC, number)


def await_inputs(control: int) -> EvaluationInputs:
    """Ask the watchdog, by the socket ``control``, for the inputs without the pairs; return them."""
    with socket.socket(fileno=os.dup(control)) as channel:
        channel.setblocking(True)
        channel.sendall(event_line(event="load"))
        return EvaluationInputs.of_files(_received(channel))


def _received(channel: socket.socket) -> Iterator[IO[bytes]]:
    while descriptors := socket.recv_fds(channel, 1, _AT_ONCE)[1]:
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as file:
                yield file
    raise EOFError("the watchdog has gone, or has sent the inputs before")


def send_inputs(task: Task, control: int) -> None:
    """Send the inputs, all but the pairs, as files that were opened for this cell alone."""
    with socket.socket(fileno=os.dup(control)) as channel:
        try:
            paths = [*input_files(Path(task.inputs))]
            for first in range(0, len(paths), _AT_ONCE):
                with ExitStack() as stack:
                    files = [stack.enter_context(path.open("rb")) for path in paths[first : first + _AT_ONCE]]
                    socket.send_fds(channel, [b"\0"], [file.fileno() for file in files])
        except OSError:  # the cell has gone, there are no inputs, or too many: it need not wait for them
            with suppress(OSError):
                channel.shutdown(socket.SHUT_WR)


def await_pairs(task: Task, control: int, ranked: Mapping[str, NDArray[Any]], cold: bool) -> NDArray[np.int32]:
    """Write what was made, tell the watchdog by the socket ``control``, and return the pairs that it sends there."""
    write_arrays(task, ranked)
    with socket.socket(fileno=os.dup(control)) as channel:
        channel.setblocking(True)
        channel.sendall(event_line(event="ranked", cold=cold))
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not descriptors:
        raise EOFError("the watchdog has gone, or has sent the pairs before")
    with os.fdopen(descriptors[0], "rb") as file:
        return mapped_array(file)


class Lists:
    """What the watchdog knows of a cell's lists: their digests from the moment when it handed over the pairs."""

    def __init__(self, task: Task) -> None:
        """Begin with nothing handed over."""
        self._task = task
        self._sealed: dict[str, str] | None = None

    def hand_over(self, control: int, *, cold: bool) -> None:
        """Seal the lists and send the pairs, once; who asks again gets nothing, and need not wait for it."""
        asked_before, path = self._sealed is not None, pairs_file(Path(self._task.inputs), cold=cold)
        if self._sealed is None:
            self._sealed = digests_of(self._task, RANKED)
        with suppress(OSError), socket.socket(fileno=os.dup(control)) as channel:  # the cell may have gone
            if asked_before or not path.is_file():
                channel.shutdown(socket.SHUT_WR)
                return
            with path.open("rb") as file:
                socket.send_fds(channel, [b"\0"], [file.fileno()])

    def differ_from(self, digests: Mapping[str, str]) -> bool:
        """Whether they were sealed, and are others than those of which ``digests`` tell, by name of file."""
        names = [f"{array}.npy" for array in RANKED]
        return self._sealed is not None and any(self._sealed.get(name) != digests.get(name) for name in names)

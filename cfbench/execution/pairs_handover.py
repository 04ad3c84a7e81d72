"""Hand-over of the pairs to predict: a cell gets them when its lists are made, and can then not change these any more.

The pairs lie where a confined cell cannot read. When it has written its lists among its answers, it says so, and its
watchdog, in which no plugin code runs, takes their digest and sends the open file. Lists that are others when the cell
has ended cost the cell.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.execution.contract import Task
from cfbench.execution.outcome_file import seal_of, write_arrays
from cfbench.execution.pipe_events import event_line
from cfbench.inference.inputs import PAIRS, mapped_pairs, pairs_file

RANKED = ("lists", "score_means", "item_factors", "rating_range")
"""The arrays of a model's output that are made before it is asked for ratings."""

_HIGH = 512  # or half of the descriptors that a process may have, where that is less


def readable_inputs(task: Task) -> Iterator[Path]:
    """Yield what a cell may read of its inputs from the beginning: all but the pairs."""
    with suppress(FileNotFoundError):
        yield from (path for path in Path(task.inputs).iterdir() if path.name != PAIRS)


def out_of_the_way(control: int) -> int:
    """Return a duplicate of the descriptor with a high number: careless models close the low ones."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = _HIGH if most == resource.RLIM_INFINITY else min(_HIGH, most // 2)
    return fcntl.fcntl(control, fcntl.F_DUPFD_CLOEXEC, number)


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
        return mapped_pairs(file)


class Lists:
    """What the watchdog knows of a cell's lists: their seal from the moment when it handed over the pairs."""

    def __init__(self, task: Task) -> None:
        """Begin with nothing handed over."""
        self._task, self._seal = task, ""

    def hand_over(self, control: int, *, cold: bool) -> None:
        """Seal the lists and send the pairs, once; who asks again gets nothing, and need not wait for it."""
        asked_before, path = bool(self._seal), pairs_file(Path(self._task.inputs), cold=cold)
        self._seal = self._seal or seal_of(self._task, RANKED) or "none"
        with suppress(OSError), socket.socket(fileno=os.dup(control)) as channel:  # the cell may have gone
            if asked_before or not path.is_file():
                channel.shutdown(socket.SHUT_WR)
                return
            with path.open("rb") as file:
                socket.send_fds(channel, [b"\0"], [file.fileno()])

    @property
    def changed(self) -> bool:
        """Whether they are others than those that were sealed."""
        return bool(self._seal) and (seal_of(self._task, RANKED) or "none") != self._seal

"""Reading of what a cell's process left, as the run's process does it: a model could have written there, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cfbench.errors import CfbenchError
from cfbench.execution.printed_log import tail_of
from cfbench.execution.process_tree import how_ended
from cfbench.execution.task import Outcome, Task, answers_in
from cfbench.files.plain_file import MEBIBYTE, read_plain, require_plain
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Epoch, Status
from cfbench.records.store import first_mistake
from cfbench.resources.cost import Cost
from cfbench.resources.memory import machine_bytes

_LARGEST = 256 * MEBIBYTE  # a learning curve of a million epochs has 100
_LONGEST_REASON = 1000
_QUOTED = 200  # characters of a log that a reason quotes


@dataclass(frozen=True)
class _OutcomeFile:
    """The content of ``outcome.json``: the names of the arrays, and the rest of the outcome."""

    status: Literal["ok", "failed", "out-of-memory"]
    answers: tuple[str, ...] | None
    reason: str
    cost: Cost
    losses: tuple[Epoch, ...]
    versions: dict[str, str]


# Building the adapter takes longer than a whole command that runs no cell.
_outcome_file = cache(lambda: TypeAdapter(_OutcomeFile))


def read_outcome(task: Task) -> Outcome | None:
    """Read what :func:`cfbench.execution.outcome_writer.write_outcome` left, None where there is nothing.

    A model can write into the folder itself: what cannot be read becomes a failure, not an error of the run.
    """
    path = answers_in(task) / "outcome.json"
    if not path.is_file():
        return None
    try:
        facts = _outcome_file().validate_json(read_plain(path, _LARGEST))
        if (facts.answers is None) == (facts.status == "ok"):
            raise ValueError(f"status {facts.status!r} with answers {facts.answers!r}")
        answers = (
            None if facts.answers is None else ModelOutput.of({name: _array(task, name) for name in facts.answers})
        )
    except (OSError, ValueError, TypeError, MemoryError, CfbenchError) as error:
        return Outcome(task, "failed", f"its process left an outcome that cannot be read: {first_mistake(error)}")
    reason = facts.reason[:_LONGEST_REASON]
    return Outcome(task, facts.status, reason, answers, facts.cost, facts.losses, facts.versions)


def _array(task: Task, name: str) -> NDArray[Any]:
    path = answers_in(task) / f"{name}.npy"
    require_plain(path, machine_bytes() // 2)
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def concluded(task: Task, event: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a task whose process has ended, by the ``exited`` event of its watchdog."""
    tail, peak = tail_of(Path(task.log)), int(event["peak"])
    held = f"{peak / 2**20:,.0f} MiB"
    status: Status
    if event["exceeded"] == "timeout":
        status, reason = "timeout", f"took longer than the {task.timeout:g} s allowed and was ended"
    elif event["exceeded"] == "out-of-memory":
        status = "out-of-memory"
        if task.memory_limit is not None and peak > task.memory_limit:
            reason = f"held {held}, more than the {task.memory_limit / 2**20:,.0f} MiB allowed, and was ended"
        else:
            reason = f"was ended by the kernel, which had no more memory; it held {held} when last looked at"
    elif event["unwritten"]:
        status = "failed"
        reason = f"its answers could not be written: {event['unwritten']}; free the disk, or set TMPDIR to another"
    elif (outcome := read_outcome(task)) is None:
        printed = " ".join(tail.split())[-_QUOTED:]
        status, reason = "crashed", f"its process {how_ended(int(event['code']))} before it answered"
        reason += f"; it last printed: {printed}" if printed else ""
    elif outcome.status == "ok":
        return replace(outcome, cost=replace(outcome.cost, peak_memory=max(outcome.cost.peak_memory, peak)))
    else:
        return replace(outcome, log_tail=tail)
    cost = Cost(seconds={"cell": float(event["seconds"])}, peak_memory=peak)
    return Outcome(task, status, reason, cost=cost, log_tail=tail)

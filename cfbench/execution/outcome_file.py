"""Outcome of a cell on its way between processes: arrays as ``.npy``, the rest as JSON, nothing that executes.

The cell's process writes it, the run's process reads it and trusts nothing: a model could have written there, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import CfbenchError
from cfbench.execution.contract import Outcome, Task
from cfbench.execution.process_tree import how_ended
from cfbench.files.guarded_reading import MEBIBYTE, read_plain, require_plain
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Epoch, Status
from cfbench.resources.cost import Cost, machine_bytes

_LARGEST = 256 * MEBIBYTE  # a learning curve of a million epochs has 100
_LONGEST_REASON = 1000
_QUOTED = 200  # characters of a log that a reason quotes
_LINES, _CHARACTERS = 20, 2000  # of the tail of a log


@dataclass(frozen=True)
class _OutcomeFile:
    """The content of ``outcome.json``: the names of the arrays, and the rest of the outcome."""

    status: Literal["ok", "failed", "out-of-memory"]
    answers: tuple[str, ...] | None
    reason: str
    cost: Cost
    losses: tuple[Epoch, ...]
    versions: dict[str, str]


def answers_in(task: Task) -> Path:
    """Return the folder that the task's answers are written to."""
    return Path(task.folder) / "answers"


def saved_in(task: Task) -> Path:
    """Return the folder of a model that saved itself; it is removed with ``task.folder`` unless it is moved."""
    return Path(task.folder) / "saved"


def write_outcome(outcome: Outcome) -> None:
    """Write the outcome into the task's folder; the JSON comes last."""
    folder = answers_in(outcome.task)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = outcome.output.arrays() if outcome.output is not None else None
    for name, array in (arrays or {}).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    facts = {
        "status": outcome.status,
        "answers": None if arrays is None else list(arrays),
        "reason": outcome.reason,
        "cost": asdict(outcome.cost),
        "losses": [asdict(epoch) for epoch in outcome.losses],
        "versions": dict(outcome.versions),
    }
    (folder / "outcome.json").write_text(json.dumps(facts), encoding="utf-8")


@cache
def _parse() -> Callable[[bytes], _OutcomeFile]:
    """Return the parser of ``outcome.json``; building it takes longer than a whole command that runs no cell."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - cells' processes, which write only, may lack it

    return TypeAdapter(_OutcomeFile).validate_json


def read_outcome(task: Task) -> Outcome | None:
    """Read what :func:`write_outcome` left, None where there is nothing.

    A model can write into the folder itself: what cannot be read becomes a failure, not an error of the run.
    """
    path = answers_in(task) / "outcome.json"
    if not path.is_file():
        return None
    try:
        facts = _parse()(read_plain(path, _LARGEST))
        if (facts.answers is None) == (facts.status == "ok"):
            raise ValueError(f"status {facts.status!r} with answers {facts.answers!r}")
        names = facts.answers
        output = None if names is None else ModelOutput.of({name: _array(task, name) for name in names})
    except (OSError, ValueError, TypeError, MemoryError, CfbenchError) as error:
        from cfbench.records.store import first_mistake  # noqa: PLC0415 - imports pydantic

        return Outcome(task, "failed", f"its process left an outcome that cannot be read: {first_mistake(error)}")
    reason = facts.reason[:_LONGEST_REASON]
    return Outcome(task, facts.status, reason, output, facts.cost, facts.losses, facts.versions)


def _array(task: Task, name: str) -> NDArray[Any]:
    path = answers_in(task) / f"{name}.npy"
    require_plain(path, machine_bytes() // 2)
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def tail_of(log: Path) -> str:
    """Return the last lines of a log, bounded; an empty text where there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4 * _CHARACTERS))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-_LINES:])[-_CHARACTERS:].strip()


def concluded(task: Task, event: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a task whose process has ended, by the ``exited`` event of its watchdog."""
    tail, peak = tail_of(Path(task.log)), int(event["peak"])
    held = f"{peak / 2**20:,.0f} MiB"
    status: Status
    if event["exceeded"] == "timeout":
        status, reason = "timeout", f"took longer than the {task.timeout:g} s allowed and was ended"
    elif event["exceeded"] and task.memory_limit is not None and peak > task.memory_limit:
        status = "out-of-memory"
        reason = f"held {held}, more than the {task.memory_limit / 2**20:,.0f} MiB allowed, and was ended"
    elif event["exceeded"]:
        status = "out-of-memory"
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

"""Reading what a cell's process handed over; that a model could write there, too, is kept in mind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cfbench.errors import CfbenchError
from cfbench.execution.task import Outcome, Task, answers_in
from cfbench.files.plain_file import MEBIBYTE, read_plain, require_plain
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Epoch
from cfbench.records.store import first_mistake
from cfbench.resources.cost import Cost
from cfbench.resources.memory import machine_bytes

_LARGEST = 256 * MEBIBYTE  # a learning curve of a million epochs has 100
_LONGEST_REASON = 1000


@dataclass(frozen=True)
class _Told:
    """What ``outcome.json`` holds: the names of the arrays, and the rest of the outcome."""

    status: Literal["ok", "failed", "out-of-memory"]
    answers: tuple[str, ...] | None
    reason: str
    cost: Cost
    losses: tuple[Epoch, ...]
    versions: dict[str, str]


@cache
def _form() -> TypeAdapter[_Told]:
    return TypeAdapter(_Told)


def collect(task: Task) -> Outcome | None:
    """Read what :func:`cfbench.execution.outcome_writer.deliver` left, or None where the process did not get so far.

    A model can write into the folder itself: what cannot be read becomes a failure, not an error of the run.
    """
    path = answers_in(task) / "outcome.json"
    if not path.is_file():
        return None
    try:
        return _outcome(task, _form().validate_json(read_plain(path, _LARGEST)))
    except (OSError, ValueError, TypeError, MemoryError, CfbenchError) as error:
        return Outcome(task, "failed", f"its process left an outcome that cannot be read: {first_mistake(error)}")


def _outcome(task: Task, told: _Told) -> Outcome:
    if (told.answers is None) == (told.status == "ok"):
        raise ValueError(f"status {told.status!r} with answers {told.answers!r}")
    answers = None
    if told.answers is not None:
        answers = ModelOutput.of({name: _array(task, name) for name in told.answers})
    return Outcome(
        task, told.status, told.reason[:_LONGEST_REASON], answers, told.cost, told.losses, dict(told.versions)
    )


def _array(task: Task, name: str) -> NDArray[Any]:
    path = answers_in(task) / f"{name}.npy"
    require_plain(path, machine_bytes() // 2)
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array

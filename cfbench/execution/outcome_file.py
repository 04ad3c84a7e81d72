"""Outcome of a cell on its way between processes: arrays as ``.npy``, the rest as JSON, nothing that executes.

The cell's process writes it. When that has ended, its watchdog seals the files, and the run's process reads them. Both
trust nothing, since a model could have written there: a file is opened once, is held against what the task asks for by
its header before anything of that size is read, and what was checked is what is used.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import CfbenchError
from cfbench.execution.contract import Outcome, Task
from cfbench.execution.process_tree import how_ended
from cfbench.files.guarded_reading import (
    LARGEST_MODEL,
    LONGEST_HEADER,
    MEBIBYTE,
    ArrayHeader,
    open_plain,
    parse_json,
    plain_files,
)
from cfbench.files.locks import remove_folder
from cfbench.inference.output import FORMS, ModelOutput, OutputSizes
from cfbench.records.record import Epoch, Status
from cfbench.resources.cost import Cost

_OUTCOME = "outcome.json"
_NAMES = (_OUTCOME, *(f"{name}.npy" for name in FORMS))
_LARGEST = 8 * MEBIBYTE  # the longest learning curve has one, and the log of two attempts less than five
_LONGEST_REASON = 1000
_QUOTED = 200  # characters of a log that a reason quotes
_LINES, _CHARACTERS = 20, 2000  # of the tail of a log


@dataclass(frozen=True)
class _OutcomeFile:
    """The content of the JSON file: the names of the arrays, and the rest of the outcome."""

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


def most_bytes(task: Task) -> dict[str, int]:
    """Return how many bytes a task's ``answers``, its ``log`` and its ``saved`` model may have at most."""
    answers = _sizes_of(task).most_bytes + len(FORMS) * LONGEST_HEADER + _LARGEST
    return {"answers": answers, "log": _LARGEST, "saved": LARGEST_MODEL if task.save else 0}


def _sizes_of(task: Task) -> OutputSizes:
    facts = json.loads((Path(task.inputs) / "inputs.json").read_bytes())
    return OutputSizes(**{**facts["sizes"], "length": task.list_length})


def write_outcome(outcome: Outcome, written: Collection[str] = ()) -> None:
    """Write the outcome into the task's folder, all but the arrays that are ``written``; the JSON comes last."""
    arrays = outcome.output.arrays() if outcome.output is not None else None
    write_arrays(outcome.task, {name: array for name, array in (arrays or {}).items() if name not in written})
    facts = {
        "status": outcome.status,
        "answers": None if arrays is None else list(arrays),
        "reason": outcome.reason,
        "cost": asdict(outcome.cost),
        "losses": [asdict(epoch) for epoch in outcome.losses],
        "versions": dict(outcome.versions),
    }
    (answers_in(outcome.task) / _OUTCOME).write_text(json.dumps(facts, allow_nan=False), encoding="utf-8")


def write_arrays(task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of a model's output among the task's answers."""
    folder = answers_in(task)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


@cache
def _parse() -> Callable[..., _OutcomeFile]:
    """Return the parser of ``outcome.json``; building it takes longer than a whole command that runs no cell."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - cells' processes, which write only, may lack it

    return TypeAdapter(_OutcomeFile).validate_json


def digests_of(task: Task, arrays: Iterable[str] | None = None) -> dict[str, str]:
    """Return the digests of the files of the task's answers by name; of what can be no answer there is none.

    They are taken as soon as the cell has ended with all its processes: :func:`read_outcome` refuses what was changed
    since. Where ``arrays`` are named, they are of these alone. It needs numpy and the standard library alone.
    """
    digests = dict[str, str]()
    with suppress(OSError), _AnswerFiles(task) as files:
        digests = files.digests
        for name in _NAMES if arrays is None else [f"{array}.npy" for array in arrays]:
            with suppress(OSError, ValueError, TypeError, KeyError):  # read_outcome meets the same, and says what it is
                files.read(name)
    return digests


def seal_of(digests: Mapping[str, str]) -> str:
    """Return a digest of the names and bytes of files whose ``digests`` are given by name."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def read_outcome(task: Task, seal: str | None = None) -> Outcome | None:
    """Read what :func:`write_outcome` left, None where there is nothing.

    A model can write into the folder itself: what cannot be read, or breaks the rules of stored records and answers,
    becomes a failure, not an error of the run; so does, where a ``seal`` is given, what was changed since.
    """
    try:
        with _AnswerFiles(task) as files:
            data = files.read(_OUTCOME)
            if data is None:
                return None
            parse_json(data)  # bounds what pydantic would take: depth, size of numbers, names that stand twice
            facts = _parse()(data, strict=True)
            if (facts.answers is None) == (facts.status == "ok"):
                raise ValueError(f"status {facts.status!r} with answers {facts.answers!r}")
            arrays = {name: array for name in FORMS if (array := files.array(name)) is not None}
            if facts.answers is not None and set(facts.answers) != set(arrays):
                raise ValueError("it holds other answers than it names")
            if seal not in (None, seal_of(files.digests)):
                raise ValueError("it was changed after the cell had ended")
            output = None if facts.answers is None else ModelOutput.of(arrays)
    except (OSError, ValueError, TypeError, KeyError, MemoryError, CfbenchError) as error:
        from cfbench.records.store import first_mistake  # noqa: PLC0415 - imports pydantic

        return Outcome(task, "failed", f"its process left an outcome that cannot be read: {first_mistake(error)}")
    reason = " ".join(facts.reason.split())[:_LONGEST_REASON].rstrip()
    return Outcome(task, facts.status, reason, output, facts.cost, facts.losses, facts.versions)


class _AnswerFiles(AbstractContextManager["_AnswerFiles"]):
    """The files of a task's answers: each is opened once, and held against what the task asks for before it is read.

    Attributes:
        digests: of the bytes of what was read, by name.
    """

    def __init__(self, task: Task) -> None:
        """Open the folder; it may be missing."""
        self._task = task
        self.digests: dict[str, str] = {}
        self._folder: int | None = None
        with suppress(FileNotFoundError):
            # Another cell's answers, behind a link, are not this cell's own.
            self._folder = os.open(answers_in(task), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def __exit__(self, *_: object) -> None:
        """Close the folder."""
        if self._folder is not None:
            os.close(self._folder)

    @cached_property
    def _sizes(self) -> OutputSizes:
        return _sizes_of(self._task)

    def array(self, name: str) -> NDArray[Any] | None:
        """Read an array, None where there is none."""
        data = self.read(f"{name}.npy")
        if data is None:
            return None
        header = ArrayHeader.read(io.BytesIO(data), name)
        return header.arranged(np.frombuffer(data, header.dtype, offset=header.length))

    def read(self, name: str) -> bytes | None:
        """Read a file, None where there is none; raises OSError or ValueError for what can be no answer."""
        if self._folder is None:
            return None
        try:
            file = open_plain(name, self._folder)
        except FileNotFoundError:
            return None
        with file:
            size = os.fstat(file.fileno()).st_size
            array = name.removesuffix(".npy")
            if array != name:
                header = ArrayHeader.read(file, name)
                self._sizes.require(array, header.dtype, header.shape)
                header.require_bytes(size, name)
            elif size > _LARGEST:
                raise OSError(errno.EFBIG, f"{name} has more than {_LARGEST // MEBIBYTE} MiB")
            file.seek(0)
            data = file.read(size)
        self.digests[name] = hashlib.sha256(data).hexdigest()
        return data


def tail_of(log: Path) -> str:
    """Return the last lines of a log, bounded; an empty text where there are none."""
    try:
        with open_plain(log) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4 * _CHARACTERS))
            text = file.read(4 * _CHARACTERS).decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-_LINES:])[-_CHARACTERS:].strip()


def concluded(task: Task, event: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a task whose process has ended, by the ``exited`` event of its watchdog."""
    tail, peak = tail_of(Path(task.log)), int(event["peak"])
    held = f"{peak / 2**20:,.0f} MiB"
    status: Status
    if event["exceeded"] == "timeout":
        status, reason = "timeout", f"took longer than the {task.timeout:g} s allowed by --timeout and was ended"
    elif event["exceeded"] == "processes":
        status, reason = (
            "failed",
            f"started more than the {task.max_processes} processes allowed by --max-processes and was ended",
        )
    elif event["exceeded"] and task.memory_limit is not None and peak > task.memory_limit:
        status = "out-of-memory"
        reason = (
            f"held {held}, more than the {task.memory_limit / 2**20:,.0f} MiB allowed by --memory-limit, and was ended"
        )
    elif event["exceeded"]:
        status = "out-of-memory"
        reason = f"was ended by the kernel, which had no more memory; it held {held} when last looked at"
    elif event["unwritten"]:
        status = "failed"
        reason = f"its answers could not be written: {event['unwritten']}; free the disk, or set TMPDIR to another"
    elif event["relisted"]:
        status, reason = "failed", "its lists were changed after it was given the pairs to predict"
    elif (outcome := read_outcome(task, event["seal"])) is None:
        printed = " ".join(tail.split())[-_QUOTED:]
        status, reason = "crashed", f"its process {how_ended(int(event['code']))} before it answered"
        reason += f"; it last printed: {printed}" if printed else ""
    elif outcome.status == "ok":
        told = outcome.cost
        cost = replace(told, peak_memory=max(told.peak_memory, peak), model_bytes=_saved_bytes(task))
        return replace(outcome, cost=cost)
    else:
        return replace(outcome, log_tail=tail)
    cost = Cost(seconds={"cell": float(event["seconds"])}, peak_memory=peak)
    return Outcome(task, status, reason, cost=cost, log_tail=tail)


def _saved_bytes(task: Task) -> int | None:
    """Return the bytes of the model that the task has saved, None where there is none; what is none is removed."""
    saved = saved_in(task)
    try:
        return sum(path.stat().st_size for path in plain_files(saved))
    except (OSError, ValueError):
        remove_folder(saved)
        return None

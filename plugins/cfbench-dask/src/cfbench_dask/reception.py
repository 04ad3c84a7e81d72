"""What a worker sends back, made an outcome: it is read like the answers of a process of this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from cfbench.errors import StoreError
from cfbench.execution.outcome_reader import collect
from cfbench.execution.task import Outcome, Task, answers_in
from cfbench.records.record import Status
from cfbench_dask.parcel import Parcel

_LONGEST = 2000  # characters of a text
_FOLDERS = ("answers/", "saved/")


def facts_of(reply: object) -> dict[str, Any]:
    """Read a worker's reply; raises ValueError where it is no JSON object."""
    if not isinstance(reply, str):
        raise ValueError(f"it answered with a {type(reply).__name__}")
    try:
        facts = json.loads(reply)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(facts, dict):
        raise ValueError(f"it answered with a {type(facts).__name__}")
    return facts


class Reception:
    """Takes the files of one cell, piece by piece, into the task's folder on this machine."""

    def __init__(self, task: Task, facts: Mapping[str, Any]) -> None:
        """Make room; raises ValueError where ``facts`` are not those of a cell, StoreError where there is no room."""
        self.task, self.facts = task, facts
        self.parcel = Parcel.heard(facts.get("parcel"))
        if not all(name == "log" or name.startswith(_FOLDERS) for name, _ in self.parcel.files):
            raise ValueError("a cell's answers hold other files than answers")
        self.received = 0
        self._root = Path(task.output)
        try:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root.mkdir()
            self.parcel.lay_out(self._root)
        except OSError as error:
            raise _full(error, task) from error

    @property
    def complete(self) -> bool:
        """Whether all is there."""
        return self.received >= self.parcel.size

    def take(self, piece: object) -> None:
        """Write the next piece; raises ValueError where it is none."""
        if not isinstance(piece, bytes) or not 0 < len(piece) <= self.parcel.size - self.received:
            raise ValueError("its answers came to an end too early")
        try:
            self.parcel.put(self._root, self.received, piece)
        except OSError as error:
            raise _full(error, self.task) from error
        self.received += len(piece)

    def outcome(self) -> Outcome:
        """Read what came; raises ValueError where that cannot be."""
        if not self.parcel.intact(self._root):
            raise ValueError("its answers arrived damaged")
        log = self._root / "log"
        if log.is_file():
            log.replace(self.task.log)
        return self._read(_status(self.facts.get("status")))

    def _read(self, status: Status) -> Outcome:
        """Let the facts go through the same check as those of a local process, which knows of success and failure."""
        ok = status == "ok"
        keys = ("reason", "cost", "losses", "versions", "answers")
        told = {key: self.facts.get(key) for key in keys} | {"status": "ok" if ok else "failed"}
        if not ok:
            told["answers"] = None
        answers_in(self.task).mkdir(exist_ok=True)
        (answers_in(self.task) / "outcome.json").write_text(json.dumps(told))
        try:
            outcome = collect(self.task)
        except MemoryError as error:
            raise ValueError("its answers claim more memory than there is") from error
        if outcome is None or not isinstance(outcome.reason, str) or outcome.reason != told["reason"]:
            raise ValueError("its answers cannot be read" if outcome is None else str(outcome.reason))
        tail = str(self.facts.get("log_tail", ""))[:_LONGEST]
        return outcome if ok else replace(outcome, status=status, log_tail=tail)


def _status(told: object) -> Status:
    known: tuple[Status, ...] = get_args(Status)
    for status in known:
        if status == told != "skipped":
            return status
    raise ValueError(f"it told of a cell that ended as {str(told)[:_LONGEST]!r}")


def _full(error: OSError, task: Task) -> StoreError:
    return StoreError(
        f"cannot write {error.filename or task.output}: {error.strerror}; free the disk, or set TMPDIR or --workspace "
        "to a larger one"
    )

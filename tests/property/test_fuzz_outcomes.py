"""Outcomes of cells with anything anywhere: a failure of that cell, or one that its record can hold; never an error."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cfbench.execution.contract import Outcome, Task
from cfbench.execution.outcome_file import answers_in, concluded, digests_of, read_outcome, seal_of, write_outcome
from cfbench.inference.output import ModelOutput
from cfbench.records.cell import Cell
from cfbench.records.record import Epoch, Record
from cfbench.records.store import RunFolder
from cfbench.resources.cost import Cost

CELL = Cell("d", "s", "", "f" * 64, "m", {}, "x", "1", "c", 0, 0, list_length=2)
HUGE = [10**30, -(10**30), 1e300, -1.0, 1 << 62, "x" * 1100, "\x1b[2J\n", [[[[]]]], {}, None, True]
VALUES = st.sampled_from(HUGE) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
PLACES = [
    ("status",), ("answers",), ("answers", 0), ("reason",), ("cost",), ("cost", "seconds"), ("cost", "seconds", "fit"),
    ("cost", "cpu_seconds", "fit"), ("cost", "peak_memory"), ("cost", "device"), ("cost", "model_bytes"),
    ("cost", "energy_kwh"), ("cost", "energy_method"), ("losses",), ("losses", 0), ("losses", 0, "epoch"),
    ("losses", 0, "train_loss"), ("versions",), ("versions", "numpy"),
]  # fmt: skip


def written(folder: str) -> Task:
    """Write an outcome of a task for two pairs and one list of two of three items."""
    task = Task("key", "x", "m", "m:M", {}, folder, f"{folder}/cell", f"{folder}/log", 0, 2, "cpu", 1)
    sizes = {"pairs": 2, "lists": 1, "length": 0, "items": 3, "checked": 0}
    (Path(folder) / "inputs.json").write_text(json.dumps({"sizes": sizes}), "utf-8")
    output = ModelOutput(np.ones(2, dtype=np.float32), np.array([[0, 1]], dtype=np.int32))
    cost, versions = Cost({"fit": 1.0}, {"fit": 1.0}), {"numpy": "2"}
    write_outcome(Outcome(task, "ok", "", output, cost, (Epoch(1, 0.5, None),), versions))
    return task


def require_recordable(task: Task, folder: str) -> None:
    """Require that what comes of a task is a failure, or that a run can keep it and read it again."""
    event = {
        "code": 0,
        "exceeded": "",
        "unwritten": "",
        "relisted": False,
        "peak": 1,
        "seconds": 2.0,
        "seal": seal_of(digests_of(task)),
    }
    outcome = concluded(task, event)
    assert outcome.status in ("ok", "failed", "out-of-memory", "crashed")
    try:
        record = Record(
            CELL, outcome.status, outcome.reason, cost=outcome.cost, losses=outcome.losses, provenance=outcome.versions
        )
    except ValueError:  # which a run makes a failure of
        return
    run = RunFolder(Path(folder) / "run")
    run.save(record, outcome.output)
    assert run.all_records(pytest.fail) == [record]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_an_outcome_with_any_value_anywhere_is_a_failure_or_can_be_recorded(place, value):
    with tempfile.TemporaryDirectory() as folder:
        task = written(folder)
        path = answers_in(task) / "outcome.json"
        content = json.loads(path.read_text("utf-8"))
        inner = content
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        path.write_text(json.dumps(content), "utf-8")
        require_recordable(task, folder)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["outcome.json", "predictions.npy", "lists.npy", "item_factors.npy"]), st.binary(max_size=200))
@example("outcome.json", b"[" * 100_000)
@example("predictions.npy", b"\x93NUMPY\x01\x00v\x00")
def test_an_outcome_of_any_bytes_is_a_failure(name, data):
    with tempfile.TemporaryDirectory() as folder:
        task = written(folder)
        (answers_in(task) / name).write_bytes(data)
        assert read_outcome(task).status == "failed"
        require_recordable(task, folder)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_one_changed_bit_breaks_the_seal(data):
    with tempfile.TemporaryDirectory() as folder:
        task = written(folder)
        seal = seal_of(digests_of(task))
        assert read_outcome(task, seal).status == "ok"
        path = answers_in(task) / data.draw(st.sampled_from(["outcome.json", "predictions.npy", "lists.npy"]))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        assert read_outcome(task, seal).status == "failed"

"""The tracker that docs/running.md prints works as it stands there."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from cfbench.execution.contract import RunDescription
from cfbench.monitoring.broadcast import Broadcast, TrackerThread
from cfbench.records.cell import Cell
from cfbench.records.record import Record
from cfbench.registry.registry import group_of

PAGE = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
CELL = Cell("data", "holdout", "", "f" * 64, "dot", {}, "plugin", "1", "c", 0, 0, 10)


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL).group(1)


def test_the_printed_tracker_takes_a_run_over(tmp_path, monkeypatch):
    module = ModuleType("documented_tracker")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where dataclasses look for the module of a class
    exec(compile(block("python"), "docs/running.md", "exec"), module.__dict__)
    tracker = module.Notebook(path=str(tmp_path / "notes"))
    events = Broadcast([TrackerThread("notebook", tracker, pytest.fail)])
    with events.during(RunDescription("by-hand", {}, tmp_path, (CELL,), "0.1")):
        events.cell_finished(Record(CELL, "timeout", "took too long"))
    assert (tmp_path / "notes").read_text() == "by-hand: 1 cells\ndot on data holdout: timeout\n"


def test_the_printed_entry_point_is_of_the_group_that_trackers_are_found_by():
    (group,) = tomllib.loads(block("toml"))["project"]["entry-points"]
    assert group == group_of("tracker")

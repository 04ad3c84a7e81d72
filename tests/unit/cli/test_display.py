"""What a run shows while it goes on."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from cfbench.cli.display import LiveDisplay, PlainDisplay, display_for
from cfbench.contracts import EpochReport
from cfbench.cost import Cost
from cfbench.executors.task import Task
from cfbench.records.record import Cell, Figure, Record

CELL = Cell("data", "holdout", "", "f" * 64, "dot[a=[1]]", {}, "plugin", "1", "c", 0, 0, 10)
OK = Record(CELL, "ok", metrics={"RMSE": Figure(0.91234)}, cost=Cost({"fit": 2.0}))
TASK = Task(CELL.key, "plugin", CELL.model, "m:M", {}, "q", "o", "l", 1, 10, "cpu", 1)


def console(terminal: bool) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=100, color_system=None)


def play(display) -> str:
    with display as shown:
        shown.started(TASK)
        shown.epoch(TASK, EpochReport(1, 5, 0.5, 0.25))
        shown.finished(OK)
        shown.finished(replace(OK, status="failed", reason="it [raised]"))
        shown.kept(OK)
        shown.note("a [remark]")
        shown.console.file.flush()
        return shown.console.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_outcomes_and_remarks_stay_readable_and_unmangled(terminal):
    text = play(display_for(console(terminal), cells=3))
    assert "dot[a=[1]] on data holdout: RMSE 0.9123" in text
    assert "it [raised]" in text
    assert "a [remark]" in text


def test_a_terminal_sees_epochs_and_loss_live():
    display = LiveDisplay(console(True), cells=3)
    with display:
        display.started(TASK)
        display.epoch(TASK, EpochReport(2, 5, 0.5, None))
        (bar,) = [task for task in display.progress.tasks if task.total == 5]
        assert bar.completed == 2
        assert "0.5000" in bar.description


def test_where_there_is_no_terminal_each_cell_is_one_numbered_line():
    lines = play(PlainDisplay(console(False), cells=3)).splitlines()
    assert [line[:5] for line in lines[:3]] == ["[1/3]", "[2/3]", "[3/3]"]
    assert not any("\x1b" in line for line in lines)

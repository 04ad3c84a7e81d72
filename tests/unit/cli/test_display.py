"""What a run shows while it goes on."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from cfbench.cli.display import LiveDisplay, PlainDisplay, clock_time, display_on
from cfbench.execution.contract import Task
from cfbench.model.protocols import EpochReport
from cfbench.records.cell import Cell
from cfbench.records.record import Figure, Record
from cfbench.resources.cost import Cost

CELL = Cell("data", "holdout", "", "f" * 64, "dot[a=[1]]", {}, "plugin", "1", "c", 0, 0, 10)
OTHER = replace(CELL, model="svd", fold="fold-2", repeat=3, params={"a": 1})
OK = Record(CELL, "ok", metrics={"RMSE": Figure(0.91234)}, cost=Cost({"fit": 2.0}))


def task_of(cell: Cell) -> Task:
    return Task(cell.key, "plugin", cell.model, "m:M", {}, "q", "o", "l", 1, 10, "cpu", 1)


TASK = task_of(CELL)


def console(terminal: bool) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=120, color_system=None)


def play(display) -> str:
    with display as shown:
        shown.cell_started(TASK)
        shown.cell_phase(TASK, "fit")
        shown.cell_epoch(TASK, EpochReport(1, 5, 0.5, 0.25))
        shown.cell_usage(TASK, 1.0, 2**20)
        shown.cell_finished(OK)
        shown.cell_finished(replace(OK, status="failed", reason="it [raised]"))
        shown.cell_kept(OK)
        shown.note("a [remark]")
        return shown.console.file.getvalue()


def seen(display: LiveDisplay) -> str:
    """The present picture as text."""
    paper = Console(file=StringIO(), width=140, color_system=None)
    paper.print(display.picture())
    return paper.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_outcomes_and_remarks_stay_readable_and_unmangled(terminal):
    text = play(display_on(console(terminal), [CELL, OTHER]))
    assert "dot[a=[1]] on data holdout: RMSE 0.9123" in text
    assert "it [raised]" in text
    assert "a [remark]" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_model_says_cannot_steer_the_terminal(terminal):
    place = console(terminal)
    display = (LiveDisplay if terminal else PlainDisplay)(place, [CELL])
    display.cell_finished(replace(OK, status="failed", reason="\x1b[2Jgone\nand a line"))
    display.note("a \x1b]0;title\x07")
    text = place.file.getvalue()
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "gone\N{REPLACEMENT CHARACTER}and a line" in text


def test_a_terminal_sees_what_every_running_cell_does():
    display = LiveDisplay(console(True), [CELL, OTHER])
    display.cell_started(TASK)
    display.cell_started(task_of(OTHER))
    assert seen(display).count("waiting for its libraries") == 2
    display.cell_phase(TASK, "fit")
    display.cell_epoch(TASK, EpochReport(2, 5, 0.5, None))
    display.cell_usage(TASK, 1.0, 300 * 2**20)
    display.cell_phase(task_of(OTHER), "rank")
    one, other, whole = seen(display).splitlines()
    assert [part.strip() for part in one.split("  ") if part.strip()] == [
        "dot[a=[1]]",
        "data holdout",
        "fitting: epoch 2/5",
        "loss 0.5000",
        "0:00",
        "300 MiB",
    ]
    assert "data holdout fold-2 repeat 3" in other
    assert "ranking" in other
    assert "0/2 cells" in whole


def test_the_loss_on_held_out_rows_goes_before_the_training_loss():
    display = LiveDisplay(console(True), [CELL])
    display.cell_started(TASK)
    display.cell_phase(TASK, "fit")
    display.cell_epoch(TASK, EpochReport(1, 5, 0.5, 0.25))
    assert "loss 0.2500" in seen(display)


def test_a_cell_that_ended_leaves_the_picture_and_counts_as_done():
    display = LiveDisplay(console(True), [CELL, OTHER])
    display.cell_started(TASK)
    display.cell_finished(OK)
    assert "dot" not in seen(display)
    assert "1/2 cells" in seen(display)


def test_the_time_left_is_told_once_models_are_timed_and_says_what_it_cannot_know():
    again = replace(CELL, fold="fold-2", split_fingerprint="e" * 64)
    display = LiveDisplay(console(True), [CELL, again, OTHER])
    assert "left" not in seen(display)  # nothing is timed: nothing is known
    display.cell_kept(replace(OK, cost=Cost({"fit": 80.0, "predict": 10.0})))
    assert "more than 1:30 left; cells of models not timed yet: 1" in seen(display)
    display.cell_kept(Record(OTHER, "ok", cost=Cost({"fit": 10.0})))
    assert "about 1:30 left" in seen(display)


def test_when_all_cells_are_done_it_says_what_it_still_does():
    display = LiveDisplay(console(True), [CELL])
    display.cell_kept(OK)
    assert "1/1 cells  0:00, summing up" in seen(display)


def test_words_for_a_task_that_is_gone_are_harmless():
    display = LiveDisplay(console(True), [CELL])
    display.cell_phase(TASK, "fit")
    display.cell_epoch(TASK, EpochReport(1, 5))
    display.cell_usage(TASK, 1.0, 1)
    assert "0/1 cells" in seen(display)


def test_where_there_is_no_terminal_each_cell_is_one_numbered_line():
    lines = play(display_on(console(False), [CELL, OTHER, CELL])).splitlines()
    assert [line[:5] for line in lines[:3]] == ["[1/3]", "[2/3]", "[3/3]"]
    assert not any("\x1b" in line for line in lines)


def test_outcomes_of_every_status_line_up():
    display = PlainDisplay(console(False), [CELL])
    for status in ("ok", "failed", "timeout", "out-of-memory", "crashed", "skipped"):
        display.cell_finished(replace(OK, status=status, reason="because"))
    columns = {line.index("dot[") for line in display.console.file.getvalue().splitlines()}
    assert len(columns) == 1


def test_seconds_are_shown_as_a_clock_does():
    assert [clock_time(seconds) for seconds in (0, 59.9, 60, 3600, 86399)] == [
        "0:00",
        "0:59",
        "1:00",
        "1:00:00",
        "23:59:59",
    ]

"""Where the time went, as a reader sees it at the end of a run."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from cfbench.cli.display import timing_table
from cfbench.monitoring.timing import Spent, Times


def shown(times: Times) -> list[str]:
    paper = Console(file=StringIO(), width=100, color_system=None)
    paper.print(timing_table(times))
    return [" ".join(line.split()) for line in paper.file.getvalue().splitlines() if line.strip()]


def test_every_part_is_shown_with_its_share_in_the_order_of_work():
    cells = {"rank": Spent(2.0, 2.0), "fit": Spent(6.0, 12.0), "waiting": Spent(2.0, 0.0)}
    lines = shown(Times(20.0, 3, 1, {"measure": Spent(5.0, 4.0), "load": Spent(1.0, 1.0)}, cells))
    assert lines == [
        "3 cells computed, 1 kept, in 20.0 s",
        "where the time went seconds CPU seconds share",
        "the run itself",
        "load data 1.0 1.0 5%",
        "metrics 5.0 4.0 25%",
        "waiting for cells 14.0 70%",
        "its cells",
        "libraries and start 2.0 20%",
        "fit 6.0 12.0 60%",
        "rank 2.0 2.0 20%",
        "the models' own work (fit, add_cold_entities, predict): 60% of the cells' time",
    ]


def test_what_took_no_time_is_left_out_and_a_run_that_computed_nothing_has_no_cells():
    lines = shown(Times(1.0, 0, 7, {"load": Spent(0.01, 0.01), "measure": Spent(0.9, 0.9)}, {}))
    assert lines == [
        "0 cells computed, 7 kept, in 1.0 s",
        "where the time went seconds CPU seconds share",
        "the run itself",
        "metrics 0.9 0.9 90%",
        "waiting for cells 0.1 9%",
    ]


def test_cells_that_died_have_no_parts_and_say_so():
    assert "cells that died or were ended 2.0 100%" in shown(Times(2.0, 1, 0, {}, {"cell": Spent(2.0, 0.0)}))


def test_a_part_that_is_new_is_shown_under_its_own_name():
    assert "polish 1.0 50%" in shown(Times(2.0, 1, 0, {"polish": Spent(1.0, 0.0)}, {}))


def test_one_cell_is_one():
    assert shown(Times(1.0, 1, 0, {}, {}))[0] == "1 cell computed, 0 kept, in 1.0 s"

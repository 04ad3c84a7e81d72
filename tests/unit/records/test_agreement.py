"""Lines of ``records.jsonl`` are held against the sealed records, and summaries against the lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cfbench.records.agreement import disagreements
from cfbench.records.cell import Cell
from cfbench.records.record import Figure, Record, Summary
from cfbench.records.store import RunFolder
from cfbench.resources.cost import Cost


def record(fold: str, rmse: float, seconds: float) -> Record:
    cell = Cell(
        dataset="d", split="s", fold=fold, split_fingerprint="f", model="m", params={}, distribution="p", version="1",
        code="c", base_seed=1, repeat=0, list_length=2,
    )  # fmt: skip
    return Record(cell, "failed", "why", metrics={"RMSE": Figure(rmse)}, cost=Cost({"fit": seconds}, {}, 7))


def summary(records: list[Record], rmse: float | None, seconds: float) -> Summary:
    return Summary(
        dataset="d", split="s", n_given=None, model="m", distribution="p", version="1", cells=2, finished=len(records),
        reason="", metrics={"RMSE": Figure(rmse, 0.1, 9.0)}, tables={}, missing={}, seconds={"fit": seconds},
        cpu_seconds={}, peak_memory=7,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path)


SEALED = [record("1", 1.0, 2.0), record("2", 2.0, 4.0)]
DONE = [replace(one, status="ok", reason="") for one in SEALED]


def told(folder: RunFolder, *lines: Record | Summary) -> list[str]:
    return list(disagreements(folder, list(enumerate(lines, 1))))


def test_a_record_that_differs_from_its_sealed_one_is_told_with_line_cell_and_figure(folder):
    for one in SEALED:
        folder.save(one, None)
    assert told(folder, *SEALED) == []
    edited = replace(SEALED[1], metrics={"RMSE": Figure(0.5)})
    (message,) = told(folder, SEALED[0], edited)
    assert "records.jsonl, line 2 (" in message
    assert f"RMSE is not that of the sealed record in cells/{edited.cell.key}.json" in message
    assert "the status" in told(folder, DONE[0])[0]
    assert "the cost" in told(folder, replace(SEALED[0], cost=Cost({"fit": 0.1}, {}, 7)))[0]


def test_what_only_one_of_them_measured_is_no_difference(folder):
    folder.save(SEALED[0], None)
    assert told(folder, replace(SEALED[0], metrics={"MAE": Figure(3.0)})) == []


def test_a_sealed_record_that_was_altered_is_told(folder):
    folder.save(SEALED[0], None)
    path = folder.path / "cells" / f"{SEALED[0].cell.key}.json"
    path.write_text(path.read_text().replace("1.0", "0.1"))
    assert "line 1: " in told(folder, SEALED[0])[0]


def test_a_summary_is_held_against_the_lines_of_its_cells_where_nothing_is_sealed(folder):
    assert told(folder, *DONE, summary(DONE, 1.5, 3.0)) == []
    for edited, what in (
        (summary(DONE, 1.4, 3.0), "RMSE"),
        (summary(DONE, None, 3.0), "RMSE"),
        (summary(DONE, 1.5, 0.1), "the time of fit"),
        (replace(summary(DONE, 1.5, 3.0), peak_memory=1), "the peak of memory"),
        (replace(summary(DONE, 1.5, 3.0), finished=1), "the number of finished cells"),
    ):
        (message,) = told(folder, *DONE, edited)
        assert f"line 3 (summary of m on d, s): {what} is not that of its cells" in message


def test_a_summary_without_lines_of_cells_is_not_judged(folder):
    assert told(folder, summary([], 1.5, 3.0)) == []

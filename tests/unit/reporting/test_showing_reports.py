"""Tables at the end of a command: what was written of them, and what could not be drawn."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from cfbench.records.cell import Cell
from cfbench.records.record import Record
from cfbench.reporting import run_report


@pytest.mark.parametrize(("worth_seeing", "can_draw", "told"), [(1, 0, 1), (1, 1, 0), (0, 0, 0)])
def test_pictures_that_cannot_be_drawn_are_missed_aloud(tmp_path, monkeypatch, worth_seeing, can_draw, told):
    monkeypatch.setattr(run_report, "has_pictures", lambda _lines: bool(worth_seeing))
    monkeypatch.setattr(run_report, "can_draw", lambda: bool(can_draw))
    heard: list[str] = []
    written = run_report.show_report(tmp_path, [], Console(file=StringIO()), heard.append)
    assert heard[: len(written)] == [f"wrote {path}" for path in written]
    assert sum("matplotlib" in text for text in heard) == told


def test_a_report_says_whose_code_was_run_and_which_models_ran_it():
    def record(model, **provenance):
        cell = Cell("d", "s", "", "f", model, {}, "p", "1", "c", base_seed=0, repeat=0, list_length=10)
        return Record(cell, "ok", provenance=provenance)

    codes = {"plugin-code": "p 1, editable, sha256 0", "cfbench-code": "cfbench 1, edited release, sha256 1"}
    page = run_report.markdown_report("t", [record("a", **codes), record("b|*x*", **codes), record("older")])
    assert page.endswith(
        "## Code\n\n- cfbench 1, edited release, sha256 1: a, b\\|\\*x\\*\n- p 1, editable, sha256 0: a, b\\|\\*x\\*\n"
    )

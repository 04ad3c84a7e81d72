"""Tables: order, marks, holes, escaping; hand-made summaries."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from cfbench.lines import Comparison, Summary
from cfbench.record import Figure, Table
from cfbench.report.csv_files import csv_files
from cfbench.report.markdown import escaped, markdown_report
from cfbench.report.sheets import divisions, sheets
from cfbench.report.terminal import print_report


def summary(model: str, rmse: float | None, ndcg: float = 0.1, finished: int = 1, reason: str = "") -> Summary:
    metrics = {"NDCG@10": Figure(ndcg, ndcg - 0.01, ndcg + 0.01, 40)}
    tables = {}
    if rmse is not None:
        metrics["RMSE"] = Figure(rmse, rmse - 0.1, rmse + 0.1, 40)
        row = {"RMSE": rmse, "n": 7.0, "answered": 0.5}
        tables["cold-users"] = Table({"0": row, "1-5": {"RMSE": None, "n": 0.0, "answered": None}}, {})
    return Summary(
        dataset="data",
        split="holdout",
        model=model,
        distribution="plugin",
        version="1.0",
        cells=1,
        finished=finished,
        reason=reason,
        metrics=metrics if finished else {},
        tables=tables if finished else {},
        not_applicable={"RMSE": "ranks only"} if finished and rmse is None else {},
        seconds={"fit": 1.0},
        cpu_seconds={"fit": 1.0},
        peak_memory=2**20,
    )


def comparison(model: str, low: float, high: float, difference: float = 0.1) -> Comparison:
    return Comparison("data", "holdout", "RMSE", "best", model, difference, low, high)


LINES = [
    summary("ranker", None, 0.3),
    summary("broken", None, finished=0, reason="failed: a | b"),
    summary("worse", 1.2),
    summary("best", 1.0),
    summary("near", 1.01),
    comparison("worse", 0.1, 0.3),
    comparison("near", -0.01, 0.03, 0.01),
]


def sheet(title: str):
    (division,) = divisions(LINES)
    return next(one for one in sheets(division) if one.title == title)


def test_rows_go_from_the_lowest_rmse_to_rankers_and_leave_failures_to_their_own_table():
    assert [row[0].text for row in sheet("Accuracy").rows] == ["best", "near", "worse", "ranker"]
    assert [[entry.text for entry in row] for row in sheet("Not finished").rows] == [
        ["broken", "0 of 1", "failed: a | b"]
    ]


def test_the_best_is_marked_and_so_is_what_the_data_cannot_tell_from_it():
    column = sheet("Accuracy").columns.index("RMSE")
    marks = {row[0].text: row[column].mark for row in sheet("Accuracy").rows}
    assert marks == {"best": "best", "near": "tie", "worse": "", "ranker": ""}


def test_a_model_equal_to_the_best_on_every_resample_is_best_too():
    (division,) = divisions([summary("best", 1.0), summary("twin", 1.0), comparison("twin", 0.0, 0.0, 0.0)])
    assert division.mark("RMSE", "twin") == "best"


def test_where_there_are_too_few_users_for_an_interval_nothing_is_told_apart():
    unknown = Comparison("data", "holdout", "RMSE", "best", "other", 0.3, None, None)
    (division,) = divisions([summary("best", 1.0), summary("other", 1.3), unknown])
    assert division.mark("RMSE", "other") == "tie"


def test_a_pure_ranker_has_no_rating_error():
    column = sheet("Accuracy").columns.index("RMSE")
    assert next(row for row in sheet("Accuracy").rows if row[0].text == "ranker")[column].text == "n/a"


def test_a_stratum_shows_how_many_rows_it_has_and_whether_the_fallback_stood_in():
    users = sheet("Cold start: users")
    assert users.columns == ("model", "0 (n=7)", "1-5 (n=0)")
    assert [entry.text for entry in users.rows[0]] == ["best", "1.0000†", "-"]


def test_a_table_of_a_metric_from_a_plugin_is_shown_too():
    strange = replace(
        summary("best", 1.0), tables={"by-moon": Table({"full": {"tides": 2.5}, "new": {"tides": None}}, {})}
    )
    (division,) = divisions([strange])
    shown = next(one for one in sheets(division) if one.title == "by-moon")
    assert shown.columns == ("model", "stratum", "tides")
    assert [[entry.text for entry in row] for row in shown.rows] == [["best", "full", "2.5"], ["best", "new", "-"]]


def test_markdown_bolds_the_best_and_shows_the_interval():
    text = markdown_report("run", LINES)
    assert "**1.0000** \\[0.9000, 1.1000\\]" in text
    assert "1.0100 ≈ \\[0.9100, 1.1100\\]" in text


@pytest.mark.parametrize("name", ["a|b", "<script>alert(1)</script>", "a`b", "[link](x)", "*bold*", "line\nbreak"])
def test_no_name_can_break_out_of_a_markdown_cell(name):
    text = escaped(name)
    assert "<" not in text
    assert "\n" not in text
    for special in "|`[]*":
        assert text.count(special) == text.count("\\" + special)


def test_no_name_is_read_as_terminal_markup():
    out = StringIO()
    print_report([summary("[red]name[/red]", 1.0)], Console(file=out, width=120))
    assert "[red]name[/red]" in out.getvalue()


def test_csv_holds_every_figure_unrounded_with_the_reason_where_there_is_none():
    frame = pd.read_csv(StringIO(csv_files(LINES)["metrics.csv"]))
    best = frame[(frame.model == "best") & (frame.metric == "RMSE")].iloc[0]
    assert (best.value, best.low, best.high) == (1.0, 0.9, 1.1)
    assert frame[(frame.model == "ranker") & (frame.metric == "RMSE")].note.tolist() == ["ranks only"]
    assert frame[frame.model == "broken"].note.tolist() == ["failed: a | b"]

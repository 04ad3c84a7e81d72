"""Tables: order, marks, holes, families, curves, escaping; hand-made summaries."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from cfbench.records.record import (
    Comparison,
    Definition,
    Figure,
    MissingMetric,
    RunConditions,
    SanityWarning,
    Standing,
    StrataTable,
    Summary,
)
from cfbench.reporting.csv_files import csv_files
from cfbench.reporting.group_tables import result_groups, tables_of
from cfbench.reporting.run_report import markdown_report, print_report
from cfbench.reporting.table import Column, Table, TableCell, escaped, print_table


def definition(metric: str, family: str, **contract: str) -> Definition:
    return Definition(metric, {"family": family, "title": f"about {metric}", "direction": "lower", **contract})


DEFINITIONS = [
    definition("RMSE", "accuracy"),
    definition("NDCG@10", "ranking", direction="higher"),
    definition("cold-users", "cold start", figure="RMSE"),
    definition("coverage@10", "popularity bias", direction="higher", display=".1%"),
]


def summary(model: str, rmse: float | None, ndcg: float = 0.1, finished: int = 1, reason: str = "") -> Summary:
    metrics = {"NDCG@10": Figure(ndcg, ndcg - 0.01, ndcg + 0.01, 40), "coverage@10": Figure(0.25, 0.2, 0.3, 40)}
    tables = {}
    if rmse is not None:
        metrics["RMSE"] = Figure(rmse, rmse - 0.1, rmse + 0.1, 40)
        row = {"RMSE": Figure(rmse, rmse - 0.2, rmse + 0.2), "n": Figure(7.0), "prediction-coverage": Figure(0.5)}
        empty = {"RMSE": Figure(None), "n": Figure(0.0), "prediction-coverage": Figure(None)}
        tables["cold-users"] = StrataTable({"0": row, "1-5": empty}, {"fallback": 3.5})
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
        missing={"RMSE": MissingMetric("not-applicable", "ranks only")} if finished and rmse is None else {},
        seconds={"fit": 1.0},
        cpu_seconds={"fit": 1.0},
        peak_memory=2**20,
    )


def comparison(model: str, low: float | None, high: float | None, p: float | None, difference=0.1) -> Comparison:
    return Comparison("data", "holdout", "RMSE", "best", model, difference, low, high, p, p, p, p)


LINES = [
    *DEFINITIONS,
    summary("ranker", None, 0.3),
    summary("broken", None, finished=0, reason="failed: a | b"),
    summary("worse", 1.2),
    summary("best", 1.0),
    summary("near", 1.01),
    comparison("worse", 0.1, 0.3, 0.0004),
    comparison("near", -0.01, 0.03, 0.31, 0.01),
]


def table(title: str, lines=LINES):
    (group,) = result_groups(lines)
    return next(one for one in tables_of(group) if one.title == title)


def titles_of(table: Table) -> tuple[str, ...]:
    return tuple(column.title for column in table.columns)


def titles(lines) -> list[str]:
    (group,) = result_groups(lines)
    return [one.title for one in tables_of(group)]


def test_rows_go_from_the_lowest_rmse_to_rankers_and_leave_failures_to_their_own_table():
    assert [row[0].text for row in table("Overview").rows] == ["best", "near", "worse", "ranker"]
    assert [[cell.text for cell in row] for row in table("Not finished").rows] == [
        ["broken", "0 of 1", "failed: a | b"]
    ]


def test_the_overview_puts_accuracy_cold_start_and_popularity_side_by_side():
    overview = table("Overview")
    assert titles_of(overview) == ("model", "RMSE", "RMSE, new users", "NDCG@10", "coverage@10", "plugin")
    assert [cell.text for cell in overview.rows[0]] == ["best", "1.0000", "1.0000†", "0.1000", "25.0%", "plugin 1.0"]


def test_every_family_has_its_table_in_a_fixed_order_and_strange_ones_come_last():
    strange = [definition("tides", "moon"), *LINES]
    strange[-4] = replace(strange[-4], metrics={**strange[-4].metrics, "tides": Figure(2.5)})
    shown = [title for title in titles(strange) if title not in ("Overview", "Against the best", "Not finished")]
    assert shown == ["Accuracy", "Ranking", "cold-users: RMSE", "Popularity bias", "Moon"]


def test_the_best_is_marked_and_so_is_what_the_data_cannot_tell_from_it():
    marks = {row[0].text: row[1].mark for row in table("Accuracy").rows}
    assert marks == {"best": "best", "near": "tie", "worse": "", "ranker": ""}


def test_nothing_is_best_in_popularity_bias_since_a_random_order_would_win():
    lines = [*LINES, replace(comparison("near", 0.1, 0.2, 0.001), metric="coverage@10")]
    assert {row[1].mark for row in table("Popularity bias", lines).rows} == {""}


def test_a_model_equal_to_the_best_on_every_resample_is_best_too():
    twin = comparison("twin", 0.0, 0.0, 1.0, 0.0)
    worse = comparison("worse", 0.1, 0.3, 0.001)
    models = [summary("best", 1.0), summary("twin", 1.0), summary("worse", 1.2)]
    (group,) = result_groups([*DEFINITIONS, *models, twin, worse])
    assert [group.points[0].mark("RMSE", name) for name in ("best", "twin", "worse")] == ["best", "best", ""]


def test_where_all_models_are_the_same_none_is_best():
    twin = comparison("twin", 0.0, 0.0, 1.0, 0.0)
    (group,) = result_groups([*DEFINITIONS, summary("best", 1.0), summary("twin", 1.0), twin])
    assert [group.points[0].mark("RMSE", name) for name in ("best", "twin")] == ["", ""]


def test_a_metric_that_failed_for_every_model_keeps_its_column():
    failed = replace(
        summary("bias", 1.0), missing={"MAP@10": MissingMetric("failed", "the metric failed: ValueError: no")}
    )
    shown = table("Ranking", [*DEFINITIONS, definition("MAP@10", "ranking"), failed])
    assert titles_of(shown) == ("model", "NDCG@10", "MAP@10")
    assert shown.rows[0][2].text == "failed"


def test_where_there_are_too_few_users_for_an_interval_nothing_is_told_apart():
    unknown = comparison("other", None, None, None, 0.3)
    (group,) = result_groups([*DEFINITIONS, summary("best", 1.0), summary("other", 1.3), unknown])
    assert group.points[0].mark("RMSE", "other") == "tie"


def test_a_difference_that_does_not_survive_the_correction_is_a_tie_though_its_own_interval_is_off_zero():
    pair = replace(comparison("other", 0.01, 0.3, 0.2), p=0.03)
    (group,) = result_groups([*DEFINITIONS, summary("best", 1.0), summary("other", 1.1), pair])
    assert group.points[0].mark("RMSE", "other") == "tie"


def test_a_pure_ranker_has_no_rating_error():
    assert next(row for row in table("Accuracy").rows if row[0].text == "ranker")[1].text == "n/a"


def test_a_stratum_shows_how_many_rows_it_has_its_interval_and_whether_the_fallback_stood_in():
    users = table("cold-users: RMSE")
    assert titles_of(users) == ("model", "0 (n=7)", "1-5 (n=0)")
    assert [cell.text for cell in users.rows[0]] == ["best", "1.0000†", "-"]
    assert users.rows[0][1].interval == "[0.8000, 1.2000]"
    assert "fallback: 3.5." in users.notes


def test_a_table_of_a_metric_from_a_plugin_is_shown_by_its_first_figure():
    strata = StrataTable({"full": {"tides": Figure(2.5)}, "new": {"tides": Figure(None)}}, {})
    strange = replace(summary("best", 1.0), tables={"by-moon": strata})
    shown = table("by-moon: tides", [definition("by-moon", "moon", display=".1f"), *DEFINITIONS, strange])
    assert titles_of(shown) == ("model", "full", "new")
    assert [[cell.text for cell in row] for row in shown.rows] == [["best", "2.5", "-"]]


def test_comparisons_are_told_in_numbers():
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table("Against the best").rows}
    assert rows == {
        "worse": ["RMSE", "best", "+0.1000", "< 0.001", "< 0.001"],
        "near": ["RMSE", "best", "+0.0100", "0.310", "0.310"],
    }


def test_spreads_over_fits_and_folds_stand_apart():
    spread = replace(summary("best", 1.0), seed_spread={"RMSE": 0.004}, fold_spread={"RMSE": 0.02})
    lines = [*DEFINITIONS, spread]
    assert [cell.text for cell in table("Spread over fits", lines).rows[0]] == ["best", "0.0040", "-"]
    assert [cell.text for cell in table("Spread over folds", lines).rows[0]] == ["best", "0.0200", "-"]


def test_a_warning_names_all_models_that_it_is_about():
    warning = SanityWarning("same-for-all", "not personalised")
    lines = [
        *DEFINITIONS,
        *(replace(summary(name, rmse), warnings=(warning,)) for name, rmse in (("a", 1.0), ("b", 2.0))),
    ]
    assert [[cell.text for cell in row] for row in table("Warnings", lines).rows] == [
        ["a, b", "same-for-all", "not personalised"]
    ]


def curve_lines():
    points = [(0, 1.5), (5, 1.2)]
    lines = [replace(summary("bias", rmse), n_given=given, split="cold-users") for given, rmse in points]
    pair = replace(comparison("other", 0.1, 0.2, 0.001), n_given=5, split="cold-users", best="bias")
    other = replace(summary("other", 1.3), n_given=5, split="cold-users")
    return [*DEFINITIONS, *lines, other, pair]


def test_a_curve_is_a_table_of_each_metric_against_the_ratings_given_back():
    curve = table("RMSE against ratings given back", curve_lines())
    assert titles_of(curve) == ("model", "s=0", "s=5")
    assert [[cell.text for cell in row] for row in curve.rows] == [
        ["bias", "1.5000", "1.2000"],
        ["other", "-", "1.3000"],
    ]
    assert curve.rows[0][2].mark == "best"


def test_standings_over_data_sets_have_a_table_of_their_own():
    standing = Standing("holdout", "RMSE", ("a", "b", "c"), {"x": 1.0, "y": 2.0, "z": 3.0}, 0.0498, 1.91)
    text = markdown_report("run", [*LINES, standing])
    assert "## Over data sets" in text
    assert "p = 0.0498" in text


def conditions_of(**changes) -> RunConditions:
    counts = {
        "train_rows": 80.0, "test_rows": 20.0, "train_users": 9.0, "train_items": 8.0, "test_users": 7.0,
        "test_users_with_a_relevant_item": 6.0, "test_rows_of_unknown_users": 1.0, "test_rows_of_unknown_items": 2.0,
        "train_share_of_most_active_1%": 0.1, "train_share_of_most_active_10%": 0.4,
        "test_rows_not_after_training": 19.0,
    }  # fmt: skip
    conditions = RunConditions(
        "data", "holdout", "f" * 64, "1 to 5", 4, "MIT", "cite", 0, 1, 1, counts, 3.5, 1000, "0.1"
    )
    return replace(conditions, **changes)


def test_the_conditions_state_preprocessing_activity_and_how_much_of_the_future_training_knows():
    conditions = conditions_of(preprocessing=("k-core[k=5] left 100 ratings of 9 users and 8 items",))
    text = markdown_report("run", [*LINES, conditions])
    assert "Preprocessed before splitting: k-core\\[k=5\\] left 100 ratings" in text
    assert "10.0% by the most active 1% and 40.0% by the most active 10% of users" in text
    assert "95.0% of the test ratings are older than, or as old as, the newest training rating" in text


def test_a_warning_about_the_split_names_the_split():
    conditions = conditions_of(warnings=(SanityWarning("mostly-cold", "80% are cold"),))
    assert table("Warnings", [*LINES, conditions]).rows[0][0].text == "the split"


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
    print_report([*DEFINITIONS, summary("[red]name[/red]", 1.0)], Console(file=out, width=120))
    assert "[red]name[/red]" in out.getvalue()


def test_a_long_name_leaves_room_for_the_figures():
    columns = (Column("title", "text"), Column("rating"))
    table = Table("t", columns, ((TableCell("x" * 300), TableCell("4.321")),), on_terminal="full")
    console = Console(width=80, file=StringIO())
    print_table(table, console)
    assert "4.321" in console.file.getvalue()


def test_no_name_commands_the_terminal():
    out = StringIO()
    print_report([*DEFINITIONS, summary("\x1b]0;owned\x07\x9b2Jname", 1.0)], Console(file=out, width=120))
    assert "name" in out.getvalue()
    assert not {"\x1b", "\x07", "\x9b"} & set(out.getvalue())


def test_csv_holds_every_figure_unrounded_with_the_reason_where_there_is_none():
    frame = pd.read_csv(StringIO(csv_files(LINES)["metrics.csv"]))
    best = frame[(frame.model == "best") & (frame.metric == "RMSE")].iloc[0]
    assert (best.value, best.low, best.high) == (1.0, 0.9, 1.1)
    assert frame[(frame.model == "ranker") & (frame.metric == "RMSE")].note.tolist() == ["ranks only"]
    assert frame[frame.model == "broken"].note.tolist() == ["failed: a | b"]


def test_csv_holds_counts_that_no_machine_integer_holds():
    counts = (9223372036854775296, 2**80)
    models = [replace(summary(str(n), 1.0), metrics={"RMSE": Figure(1.0, n=n)}) for n in counts]
    text = csv_files([*models, replace(summary("none", 1.0), metrics={"RMSE": Figure(1.0)})])["metrics.csv"]
    assert all(f",{n}," in text for n in counts)


def test_csv_holds_every_figure_of_every_stratum_and_every_comparison():
    files = csv_files(LINES)
    strata = pd.read_csv(StringIO(files["strata.csv"]))
    row = strata[(strata.model == "best") & (strata.stratum == "0") & (strata.figure == "RMSE")].iloc[0]
    assert (row.value, row.low, row.high) == (1.0, 0.8, 1.2)
    comparisons = pd.read_csv(StringIO(files["comparisons.csv"]))
    assert comparisons.p_corrected.tolist() == [0.0004, 0.31]

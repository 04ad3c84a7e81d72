"""Claims held against summaries, by hand."""

import pytest

from cfbench.errors import UnknownNameError
from cfbench.experiment.suite import Suite
from cfbench.records.record import Figure, MissingMetric, SanityWarning, StrataTable, Summary
from cfbench.reporting.table import markdown_table
from cfbench.reporting.verify_table import tally, verdict_csv, verdict_table
from cfbench.results.verification import check_measured, verify_claims


def summary(model="a", rmse=0.9, **fields):
    given = {
        "dataset": "d",
        "split": "holdout",
        "model": model,
        "distribution": "plugin",
        "version": "1.0",
        "cells": 2,
        "finished": 2,
        "reason": "",
        "metrics": {"RMSE": Figure(rmse)},
        "tables": {"cold-users": StrataTable({"0": {"RMSE": Figure(1.1), "n": Figure(3.0)}}, {})},
        "missing": {"NDCG@10": MissingMetric("not-applicable", "no lists")},
        "seconds": {},
        "cpu_seconds": {},
        "peak_memory": 0,
    }
    return Summary(**{**given, **fields})


def verdicts(lines, datasets=("d",), splits=("holdout",), **expected):
    suite = Suite(
        name="mine",
        datasets=datasets,
        splits=splits,
        models=("a", "b"),
        expected=({"metric": "RMSE", "source": "a paper", **expected},),
    )
    return verify_claims(suite, lines)


@pytest.mark.parametrize(("ours", "status"), [(0.9, "met"), (0.889, "missed"), (0.9101, "missed"), (0.91, "met")])
def test_a_published_figure_may_be_missed_by_the_tolerance_either_way(ours, status):
    (one,) = verdicts([summary(rmse=ours)], published={"a": 0.9}, tolerance=0.01)
    assert one.status == status
    assert one.difference == pytest.approx(ours - 0.9)


@pytest.mark.parametrize(("rule", "ours", "status"), [
    ("at_most", 0.9, "met"), ("at_most", 0.901, "missed"), ("at_least", 0.9, "met"), ("at_least", 0.899, "missed"),
])  # fmt: skip
def test_a_bound_holds_on_its_own_side_and_at_itself(rule, ours, status):
    (one,) = verdicts([summary(rmse=ours)], **{rule: {"a": 0.9}})
    assert one.status == status


def test_the_figure_of_another_model_on_the_same_data_is_subtracted():
    lines = [summary("a", 0.9), summary("b", 1.0), summary("b", 7.0, dataset="e")]
    (one,) = verdicts(lines, datasets=("d", "e"), dataset="d", at_most={"a": -0.05}, than="b")
    assert one.status == "met"
    assert one.ours == pytest.approx(-0.1)


def test_a_stratum_of_a_table_is_named_as_elsewhere():
    (one,) = verdicts([summary()], metric="cold-users: 0: RMSE", at_most={"a": 1.2})
    assert (one.status, one.ours) == ("met", 1.1)


def test_each_point_of_a_curve_is_judged_unless_one_is_named():
    curve = [summary(rmse=1.0, n_given=0), summary(rmse=0.8, n_given=5)]
    assert [one.status for one in verdicts(curve, at_most={"a": 0.9})] == ["missed", "met"]
    assert [one.status for one in verdicts(curve, at_most={"a": 0.9}, n_given=5)] == ["met"]


def test_preprocessed_data_are_still_the_suites_data():
    (one,) = verdicts([summary(dataset="d after k-core[k=5]")], dataset="d", at_most={"a": 1})
    assert one.status == "met"


def test_a_file_is_found_by_the_name_that_tables_give_it():
    files = ("data/one.csv", "data/two.csv")
    lines = [summary(dataset="one"), summary(dataset="two", rmse=2.0)]
    (one,) = verdicts(lines, datasets=files, dataset="data/one.csv", at_most={"a": 1})
    assert (one.status, one.dataset) == ("met", "one")


def test_variants_of_a_data_set_are_not_taken_for_one_another():
    lines, both = [summary(dataset="d", rmse=2.0), summary(dataset="d[items=title]")], ("d", "d[items=title]")
    (one,) = verdicts(lines, datasets=both, dataset="d[items=title]", at_most={"a": 1})
    assert (one.status, one.dataset) == ("met", "d[items=title]")


def test_a_warning_is_met_where_it_is_given_and_its_text_is_shown():
    warned = summary(warnings=(SanityWarning("range-too-narrow", "ratings above 0.5 cannot be reached"),))
    (one,) = verdicts([warned], warning={"a": "range-too-narrow"})
    assert (one.status, one.message) == ("met", "ratings above 0.5 cannot be reached")
    assert [v.status for v in verdicts([summary()], warning={"a": "range-too-narrow"})] == ["missed"]


@pytest.mark.parametrize(
    ("lines", "expected", "message"),
    [
        ([], {"at_most": {"a": 1}}, "no row of this model"),
        ([summary(finished=1, reason="raised")], {"at_most": {"a": 1}}, "1 of 2 cells of a finished: raised"),
        ([summary()], {"at_most": {"a": 1}, "metric": "NDCG@10"}, "no lists"),
        ([summary()], {"at_most": {"a": 1}, "metric": "MAE"}, "does not measure it"),
        ([summary(rmse=None)], {"at_most": {"a": 1}}, "nothing to average"),
        ([summary()], {"at_most": {"a": 1}, "than": "b"}, "the run has no b"),
        ([summary(finished=0, reason="gone")], {"warning": {"a": "x"}}, "gone"),
    ],
)
def test_what_cannot_be_judged_is_open_and_says_why(lines, expected, message):
    (one,) = verdicts(lines, **expected)
    assert one.status == "open"
    assert message in one.message


def test_the_table_shows_ours_beside_the_published_figure_in_its_own_digits():
    found = verdicts(
        [summary(fold_spread={"RMSE": 0.01}), summary("b", 0.5)], published={"a": 0.91, "b": 0.9}, tolerance=0.015
    )
    table = verdict_table("mine", found)
    first, second = ([cell.text for cell in row] for row in table.rows)
    assert first == ["met", "a", "RMSE", "0.9000", "0.0100", "0.910 ± 0.015", "-0.0100", "1"]
    assert second[0] == "MISSED"
    assert tally(found) == "1 met, 1 missed, 0 open"
    assert any("a paper" in note for note in table.notes)
    assert "MISSED" in markdown_table(table)


def test_the_csv_rounds_nothing():
    header, row = verdict_csv(verdicts([summary(rmse=1 / 3)], at_most={"a": 1})).splitlines()
    assert str(1 / 3) in row
    assert {"model", "metric", "rule", "value", "status", "ours", "difference"} <= set(header.split(","))


def test_a_claim_about_what_the_suite_does_not_measure_is_refused_ahead():
    expected = ({"metric": "cold-users: 0: RMSE", "source": "a paper", "at_most": {"a": 1}},)
    suite = Suite(name="mine", datasets=("d",), models=("a",), expected=expected)
    check_measured(suite, ["RMSE", "cold-users"])
    with pytest.raises(UnknownNameError, match="'cold-users'; did you mean 'cold-items'"):
        check_measured(suite, ["cold-items"])

"""Folds and repeats pooled, models compared on the same resamples."""

from __future__ import annotations

import numpy as np
import pytest

from cfbench.data.sources.source import Storage
from cfbench.execution.contract import RunEvents
from cfbench.execution.executors import InProcessExecutor
from cfbench.experiment.plan import CellOptions, make_plan
from cfbench.experiment.suite import Suite
from cfbench.records.record import Comparison, Record, Summary
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.runner.plan_run import Run


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """The lines of three models on three folds of a small synthetic data set."""
    folder = tmp_path_factory.mktemp("run")
    suite = Suite(
        name="folds",
        datasets=("synthetic[n_items=60,n_ratings=2000,n_users=90]",),
        splits=("kfold[k=3]",),
        models=("global-mean", "bias", "popular"),
        metrics=("RMSE", "NDCG@10", "cold-users"),
    )
    storage = Storage(None, folder / "cache", may_download=False)
    plan = make_plan(suite, Registry.discover(), storage, CellOptions())
    return Run(plan, RunFolder(folder / "out"), InProcessExecutor(), RunEvents()).execute()


def summary_of(lines, model) -> Summary:
    return next(line for line in lines if isinstance(line, Summary) and line.model == model)


def records_of(lines, model) -> list[Record]:
    return [line for line in lines if isinstance(line, Record) and line.cell.model == model]


def test_a_summary_is_the_mean_of_the_folds(lines):
    values = [record.metrics["RMSE"].value for record in records_of(lines, "bias")]
    assert len(values) == 3
    assert summary_of(lines, "bias").metrics["RMSE"].value == pytest.approx(np.mean(values))


def test_the_interval_over_pooled_folds_holds_the_mean_and_lies_within_the_spread_of_the_folds(lines):
    pooled = summary_of(lines, "bias").metrics["RMSE"]
    assert pooled.low < pooled.value < pooled.high
    assert all(record.metrics["RMSE"].low is None for record in records_of(lines, "bias")), "made once, in summaries"


def test_the_spread_over_folds_is_reported_apart_from_the_interval(lines):
    values = [record.metrics["RMSE"].value for record in records_of(lines, "bias")]
    told = summary_of(lines, "bias")
    assert told.fold_spread["RMSE"] == pytest.approx(np.std(values, ddof=1))
    assert told.seed_spread == {}


def test_a_pooled_stratum_counts_its_rows_over_all_folds(lines):
    rows = summary_of(lines, "bias").tables["cold-users"].rows
    assert sum(row["n"].value for row in rows.values()) == 2000


def test_models_are_compared_with_the_best_by_the_metrics_direction(lines):
    comparisons = {(c.metric, c.model): c for c in lines if isinstance(c, Comparison)}
    rmse = comparisons["RMSE", "global-mean"]
    assert rmse.best == "bias"
    assert rmse.low <= rmse.difference <= rmse.high
    assert rmse.difference > 0
    ndcg = comparisons["NDCG@10", "global-mean"]
    assert ndcg.best == "popular"
    assert ndcg.difference < 0


def test_a_pure_ranker_is_not_compared_in_rmse(lines):
    assert not [c for c in lines if isinstance(c, Comparison) and (c.metric, c.model) == ("RMSE", "popular")]
    assert "ranks only" in summary_of(lines, "popular").missing["RMSE"].reason


def test_pairing_makes_the_difference_sharper_than_the_single_intervals(lines):
    comparison = next(c for c in lines if isinstance(c, Comparison) and (c.metric, c.model) == ("RMSE", "global-mean"))
    single = summary_of(lines, "global-mean").metrics["RMSE"]
    assert comparison.high - comparison.low < single.high - single.low


def test_models_are_compared_in_every_cold_start_stratum_that_has_rows(lines):
    rows = summary_of(lines, "bias").tables["cold-users"].rows
    filled = {stratum for stratum, row in rows.items() if row["n"].value}
    compared = {c.metric: c for c in lines if isinstance(c, Comparison) and c.metric.startswith("cold-users: ")}
    assert set(compared) == {f"cold-users: {stratum}: RMSE" for stratum in filled}
    for stratum in filled:
        one = compared[f"cold-users: {stratum}: RMSE"]
        worse, best = (summary_of(lines, m).tables["cold-users"].rows[stratum]["RMSE"] for m in (one.model, one.best))
        assert one.difference == pytest.approx(worse.value - best.value)
        assert one.difference >= 0


def test_a_stratum_pools_the_rows_of_all_folds_and_has_an_interval(lines):
    figure = summary_of(lines, "bias").tables["cold-users"].rows["6-20"]["RMSE"]
    strata = [record.tables["cold-users"].rows["6-20"] for record in records_of(lines, "bias")]
    squares = sum(one["RMSE"].value ** 2 * one["n"].value for one in strata)
    assert figure.value == pytest.approx(np.sqrt(squares / sum(one["n"].value for one in strata)))
    assert figure.low < figure.value < figure.high


def test_comparisons_carry_both_tests_corrected_for_all_pairs_of_the_metric(lines):
    one = next(c for c in lines if isinstance(c, Comparison) and (c.metric, c.model) == ("RMSE", "global-mean"))
    assert 0 <= one.p <= one.p_corrected < 0.05
    assert 0 <= one.wilcoxon <= one.wilcoxon_corrected < 0.05
    assert not one.tied

"""Runs in MLflow, against a SQLite store of their own."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cfbench.execution import RunDescription
from cfbench.records.cell import Cell
from cfbench.records.record import Epoch, Figure, Record, StrataTable
from cfbench.registry.registry import Registry
from cfbench.resources.cost import Cost
from cfbench.spec import Spec
from cfbench_mlflow.names import legal, with_legal_names
from cfbench_mlflow.tracker import MLflow

PARAMS = {"n_factors": 20, "model": "x"}
CELL = Cell("ml-100k", "kfold[k=2]", "fold-1", "f" * 64, "dot", PARAMS, "plugin", "1", "c", 7, 0, 10)
OK = Record(
    CELL,
    "ok",
    metrics={"RMSE": Figure(0.91), "NDCG@10": Figure(0.25), "undefined": Figure(None)},
    tables={"cold-users": StrataTable({"0": {"RMSE": Figure(1.5)}}, {})},
    cost=Cost({"fit": 2.0, "predict": 1.0}, {"fit": 1.5}, peak_memory=2**20, energy_kwh=1e-6),
    losses=(Epoch(1, 0.5, None), Epoch(2, 0.25, 0.75)),
    provenance={"finished": "2026-01-01T00:00:10+00:00", "numpy": "2.4.6"},
)
FAILED = replace(OK, cell=replace(CELL, model="svd"), status="timeout", reason="took too long", metrics={}, tables={})


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The folder that the run was started in; the store lies in a folder of its own there."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home) -> str:
    (home / "store").mkdir()
    return f"sqlite:///{home / 'store' / 'runs.db'}"


@pytest.fixture(scope="module")
def tracked(home, store):
    """Track a run of two cells; return the store's client, the suite's run and the cells' runs by model."""

    def refuse(*_):
        raise AssertionError("MLflow used the network")

    (home / "table.md").write_text("| a table |")
    settings = {"seed": 7, "repeats": 1, "description": "of two models"}
    tracker = MLflow(uri=store, experiment="films")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.chdir(home)
        tracker.run_started(RunDescription("by-hand", settings, home, (OK.cell, FAILED.cell), "0.1"))
        tracker.cell_kept(OK)
        tracker.cell_finished(FAILED)
        tracker.run_finished([home / "table.md"], complete=True)
    from mlflow.tracking import MlflowClient  # seconds to import

    client = MlflowClient(tracking_uri=store)
    runs = client.search_runs([client.get_experiment_by_name("films").experiment_id], "attributes.status != 'KILLED'")
    (suite,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return client, suite, {run.data.params["model"]: run for run in runs if run is not suite}


def test_every_cell_is_a_run_inside_the_suites(tracked):
    _, suite, cells = tracked
    assert set(cells) == {"dot", "svd"}
    assert {run.data.tags["mlflow.parentRunId"] for run in cells.values()} == {suite.info.run_id}
    assert cells["dot"].info.run_name == str(CELL)
    assert (suite.info.run_name, suite.info.status) == ("by-hand", "FINISHED")
    assert suite.data.params == {"suite": "by-hand", "cells": "2", "seed": "7", "repeats": "1"}
    assert suite.data.tags["mlflow.note.content"] == "of two models"


def test_parameters_of_the_model_stand_apart_from_the_cells_coordinates(tracked):
    params = tracked[2]["dot"].data.params
    assert (params["model"], params["dataset"], params["split"], params["fold"]) == (
        "dot",
        "ml-100k",
        "kfold[k=2]",
        "fold-1",
    )
    assert (params["model.n_factors"], params["model.model"]) == ("20", "x")


def test_figures_strata_and_costs_are_metrics_under_legal_names(tracked):
    metrics = tracked[2]["dot"].data.metrics
    assert {name: value for name, value in metrics.items() if "loss" not in name} == {
        "RMSE": 0.91,
        "NDCG_at_10": 0.25,
        "cold-users: 0: RMSE": 1.5,
        "seconds.fit": 2.0,
        "seconds.predict": 1.0,
        "cpu_seconds.fit": 1.5,
        "peak_memory_bytes": 2.0**20,
        "energy_kwh": 1e-6,
    }


def test_the_learning_curve_has_an_epoch_a_step(tracked):
    client, _, cells = tracked
    run = cells["dot"].info.run_id
    assert [(one.step, one.value) for one in client.get_metric_history(run, "train_loss")] == [(1, 0.5), (2, 0.25)]
    assert [(one.step, one.value) for one in client.get_metric_history(run, "validation_loss")] == [(2, 0.75)]


def test_a_run_takes_the_time_that_its_cell_took(tracked):
    info = tracked[2]["dot"].info
    assert (info.end_time - info.start_time, info.end_time) == (3000, 1767225610000)


def test_statuses_and_reasons_are_told(tracked):
    _, _, cells = tracked
    assert (cells["dot"].info.status, cells["dot"].data.tags["cfbench.kept"]) == ("FINISHED", "true")
    failed = cells["svd"]
    assert (failed.info.status, failed.data.tags["cfbench.kept"]) == ("FAILED", "false")
    assert (failed.data.tags["cfbench.status"], failed.data.tags["cfbench.reason"]) == ("timeout", "took too long")
    assert failed.data.tags["cfbench.on.numpy"] == "2.4.6"


def test_files_go_beside_a_local_store_and_nowhere_else(tracked, home):
    client, suite, _ = tracked
    assert [one.path for one in client.list_artifacts(suite.info.run_id)] == ["table.md"]
    assert sorted(path.name for path in (home / "store").iterdir()) == ["mlflow-artifacts", "runs.db"]
    assert sorted(path.name for path in home.iterdir()) == ["store", "table.md"]


def test_a_run_that_was_cut_off_is_killed_and_a_later_one_joins_the_experiment(tracked, store):
    client, suite, _ = tracked
    again = MLflow(uri=store, experiment="films")
    again.run_started(RunDescription("by-hand", {}, Path(), (OK.cell, FAILED.cell), "0.1"))
    again.run_finished([], complete=False)
    runs = client.search_runs([suite.info.experiment_id], filter_string="attributes.run_name = 'by-hand'")
    assert sorted(run.info.status for run in runs) == ["FINISHED", "KILLED"]


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "./mlruns"])
def test_a_retired_folder_store_is_refused_with_the_remedy(uri):
    with pytest.raises(ValueError, match="take sqlite:///PATH"):
        MLflow(uri=uri)


def test_the_environment_names_the_store_where_the_user_does_not(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert MLflow().uri_ == "https://mlflow.example.org"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert MLflow().uri_ == "sqlite:///mlflow.db"


def test_it_is_found_by_its_name_and_loads_no_mlflow_before_a_run_begins():
    made = Registry.discover().create("tracker", Spec.parse("mlflow[experiment=films]"))
    assert made == MLflow(experiment="films")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("NDCG@10", "NDCG_at_10"), ("a/b", "a_b"), ("μ[k=1]", "__k_1_"), ("..", "_.."), ("", "_"), ("x" * 300, "x" * 250)],
)
def test_names_become_legal(name, wanted):
    assert legal(name) == wanted


def test_names_that_would_meet_are_numbered():
    named = with_legal_names({"a@1": 1, "a_at_1": 2, "a/at_1": 3, "b": 4})
    assert named == {"a_at_1": 1, "a_at_1_2": 2, "a_at_1_3": 3, "b": 4}


def test_more_figures_than_mlflow_takes_at_once_are_all_kept(tracked, store, tmp_path):
    many = replace(OK, metrics={f"m{n}": Figure(float(n)) for n in range(1500)}, losses=())
    tracker = MLflow(uri=store, experiment="many")
    tracker.run_started(RunDescription("by-hand", {}, tmp_path, (CELL,), "0.1"))
    tracker.cell_finished(many)
    client = tracked[0]
    runs = client.search_runs([client.get_experiment_by_name("many").experiment_id])
    assert max(run.data.metrics.get("m1499", -1.0) for run in runs) == 1499.0

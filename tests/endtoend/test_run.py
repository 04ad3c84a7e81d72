"""`cfbench run`, end to end: what is asked for is computed once, whatever models do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

DATA = "synthetic[n_items=60,n_ratings=1500,n_users=80]"
RUN = ("run", "-d", DATA, "--metric", "RMSE,NDCG@10")
"""A run that measures little: for what does not depend on metrics."""


@pytest.fixture(scope="module")
def one_cell(tmp_path_factory, call_cfbench, plugin_home):
    """The folder of a run of one model."""
    place = tmp_path_factory.mktemp("once")
    call_cfbench(place, *RUN, "-m", "honest", "-o", "out", home=plugin_home)
    return place / "out"


@pytest.fixture
def kept(one_cell, tmp_path):
    """Such a folder of the test's own."""
    return shutil.copytree(one_cell, tmp_path / "out")


def test_results_do_not_depend_on_jobs_or_on_the_process(cfbench, tmp_path, results):
    command = (*RUN, "-s", "kfold[k=2]", "-m", "honest,bias,random,popular")
    cfbench(*command, "-o", "one")
    cfbench(*command, "-o", "two", "--jobs", "3")
    cfbench(*command, "-o", "here", "--in-process")
    assert results(tmp_path / "one") == results(tmp_path / "two") == results(tmp_path / "here")


def test_a_second_run_computes_only_what_is_missing(cfbench, kept, records):
    cells = {path: path.stat().st_mtime_ns for path in (kept / "cells").iterdir()}
    done = cfbench(*RUN, "-m", "honest,bias", "-o", "out")
    assert "kept          honest" in done.stderr
    assert "ok            bias" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in cells} == cells
    assert set(records(kept)) == {"honest", "bias"}


def test_force_computes_again_and_a_failed_cell_is_tried_again(cfbench, kept):
    assert "ok            honest" in cfbench(*RUN, "-m", "honest", "-o", "out", "--force").stderr
    cfbench(*RUN, "-m", "raises", "-o", "out", code=1)
    assert "failed        raises" in cfbench(*RUN, "-m", "raises", "-o", "out", code=1).stderr


def test_a_metric_that_a_kept_cell_lacks_is_measured_without_fitting(cfbench, kept, records):
    done = cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--metric", "RMSE", "--metric", "NDCG@5")
    assert "kept          honest" in done.stderr
    assert set(records(kept)["honest"]["metrics"]) == {"RMSE", "NDCG@5"}
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--metric", "MAE")
    assert set(records(kept)["honest"]["metrics"]) == {"MAE"}


def test_another_seed_is_another_split_and_other_numbers(cfbench, tmp_path, results, one_cell):
    cfbench(*RUN, "-m", "honest", "-o", "b", "--seed", "1")
    assert results(one_cell) != results(tmp_path / "b")


def test_repeats_share_the_split_and_differ_in_the_models_seed(cfbench, tmp_path):
    cfbench(*RUN, "-m", "honest", "-o", "out", "--repeats", "3")
    lines = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    cells = [line for line in lines if line["kind"] == "record"]
    assert len({cell["cell"]["split_fingerprint"] for cell in cells}) == 1
    assert len({cell["metrics"]["RMSE"]["value"] for cell in cells}) == 3
    (summary,) = [line for line in lines if line["kind"] == "summary"]
    assert summary["seed_spread"]["RMSE"] > 0


def test_dry_run_shows_the_plan_and_writes_nothing(cfbench, tmp_path):
    done = cfbench(*RUN, "-m", "honest,absent", "--dry-run", "-o", "out")
    assert "to compute" in done.stdout
    assert "no class 'Absent'" in done.stdout
    assert not (tmp_path / "out").exists()


def test_cells_that_are_the_same_are_run_once_and_shown_under_each_of_their_names(cfbench, tmp_path, results):
    done = cfbench(*RUN, "-m", "honest,honest[noise=0.01]", "-o", "out")
    assert done.stderr.count("ok            honest") == 1
    found = results(tmp_path / "out")
    assert found["honest", ""] == found["honest[noise=0.01]", ""]


def test_a_metric_that_fails_costs_its_figure_and_the_exit_code_but_not_the_fit(cfbench, tmp_path, records):
    done = cfbench("run", "-d", DATA, "-m", "honest", "--metric", "RMSE,division", "-o", "out", code=1)
    assert "metric division failed on honest" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert set(records(tmp_path / "out")["honest"]["metrics"]) == {"RMSE"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--metric", "nameless"], "metric 'nameless' of hostile-models must state its definition"),
        (["-s", "twins"], "splitter twins of hostile-models must give at least one fold"),
        (["-s", "stumbles"], "splitter stumbles of hostile-models failed: LookupError: no way"),
    ],
)
def test_a_broken_metric_or_splitter_plugin_is_named_and_exits_with_1(refused, tmp_path, arguments, complaint):
    said = refused(tmp_path, "run", "-d", DATA, "-m", "honest", *arguments, code=1)
    assert complaint in said
    assert "internal error" not in said


def test_modules_in_the_current_folder_do_not_reach_the_models_processes(cfbench, tmp_path):
    (tmp_path / "random.py").write_text("raise RuntimeError('the wrong random')\n")
    program = "from cfbench.cli import main; main()"
    command = [sys.executable, "-P", "-c", program, *RUN, "-m", "bias", "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_report_renders_the_same_tables_from_the_records_alone(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "honest,bias,popular", "-o", "out")
    before = {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix in (".md", ".csv")}
    for path in (tmp_path / "out" / "cells").iterdir():
        path.unlink()
    for name in before:
        (tmp_path / "out" / name).unlink()
    cfbench("report", "out")
    assert {name: (tmp_path / "out" / name).read_text() for name in before} == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "-m", "honst"], "did you mean 'honest'"),
        (["run", "-m", "honest[nois=1]"], "did you mean 'noise'"),
        (["run", "-m", "honest[noise=loud]"], "expects a number"),
        (["run", "-d", "sinthetic"], "did you mean 'synthetic'"),
        (["run", "-d", "no/such/file.csv"], "no/such/file.csv"),
        (["run", "-s", "holdot"], "did you mean 'holdout'"),
        (["run", "-s", "holdout[share=2]"], "share"),
        (["run", "--metric", "NDGC@10"], "did you mean 'NDCG'"),
        (["run", "--metric", "NDCG@ten"], "whole number"),
        (["run", "--jobs", "0"], "at least 1"),
        (["run", "--jobs", "1.5"], "--jobs: expected a whole number, got '1.5'"),
        (["run", "-o", ""], "-o: expected a folder, got an empty text"),
        (["run", "--seed", "0.5"], "--seed: expected a whole number"),
        (["run", "--jobs", "3", "--executor", "processes[jobs=2]"], "contradict each other; leave one out"),
        (["run", "--threads", "0"], "--threads must be at least 1, got 0"),
        (["run", "--threads", "20000"], "--threads must be at most 1024, got 20000"),
        (["run", "--workspace", "/dev/null"], "--workspace /dev/null cannot be made"),
        (["run", "--job", "2"], "did you mean --jobs"),
        (["run", "quik"], "did you mean 'quick'"),
        (["run", "default", "--quick"], "--quick is a suite"),
        (["rnu"], "did you mean"),
        (["report", "nowhere"], "holds no run"),
    ],
)
def test_a_users_mistake_is_one_clear_line_and_exit_code_2(refused, tmp_path, arguments, complaint):
    assert complaint.lower() in refused(tmp_path, *arguments).lower()


def test_a_value_that_only_the_model_can_judge_fails_its_cell_in_the_models_words(cfbench):
    done = cfbench(*RUN, "-m", "picky[size=0],honest", code=1)
    assert "size must be at least 1, got 0" in done.stderr
    assert "ok            honest" in done.stderr


def test_debug_shows_the_traceback(cfbench):
    assert "Traceback" in cfbench("run", "-m", "honst", "--debug", code=None).stderr


def test_names_are_escaped_wherever_they_are_rendered(cfbench, tmp_path):
    rows = [f"u{u},i{i},{(u * i) % 5 + 1}" for u in range(30) for i in range(20) if (u + i) % 3]
    (tmp_path / "a|b[red]<script>.csv").write_text("user_id,item_id,rating\n" + "\n".join(rows) + "\n")
    done = cfbench("run", "-d", "./a|b[red]<script>.csv", "-m", "bias", "--metric", "RMSE", "-o", "out", code=None)
    if done.returncode == 0:
        assert "<script>" not in (tmp_path / "out" / "table.md").read_text()
    else:
        assert done.returncode == 2


PARTLY_INSTALLED = """metrics = ["RMSE"]
datasets = ["synthetic[n_items=60,n_ratings=1500,n_users=80]"]
models = ["bias", "elsewhere[size=3]", "popular"]

[plugins]
cfbench-baselines = ["bias", "popular"]
cfbench-elsewhere = ["elsewhere", "further"]
"""


def test_a_model_whose_plugin_is_not_installed_is_a_skipped_row_with_the_command_that_installs_it(
    cfbench, tmp_path, records
):
    (tmp_path / "partly.toml").write_text(PARTLY_INSTALLED)
    done = cfbench("run", "partly.toml", code=0)
    found = records(tmp_path / "runs" / "partly")
    assert {name: one["status"] for name, one in found.items()} == {
        "bias": "ok",
        "elsewhere[size=3]": "skipped",
        "popular": "ok",
    }
    told = "is not installed: pip install cfbench-elsewhere"
    assert told in done.stderr
    assert told in (tmp_path / "runs" / "partly" / "table.md").read_text()


def test_a_run_of_which_nothing_is_installed_has_failed(cfbench, tmp_path):
    (tmp_path / "partly.toml").write_text(PARTLY_INSTALLED.replace('"bias", ', "").replace(', "popular"]', "]", 1))
    assert "pip install cfbench-elsewhere" in cfbench("run", "partly.toml", code=1).stderr


def test_a_model_that_the_command_line_names_must_be_installed(cfbench, tmp_path):
    (tmp_path / "partly.toml").write_text(PARTLY_INSTALLED)
    done = cfbench("run", "partly.toml", "-m", "further", code=2)
    assert "model 'further' is not installed: pip install cfbench-elsewhere" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_terminal_that_lacks_a_character_shows_another_one(cfbench, tmp_path, environment):
    command = ("-d", DATA, "--metric", "RMSE", "-m", "global-mean,bias", "-s", "kfold[k=2]", "-o", "out")
    cfbench("run", *command)
    shown = subprocess.run(
        [sys.executable, "-m", "cfbench", "report", "out"],
        cwd=tmp_path,
        env={**environment, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert shown.stdout.isascii()
    assert b"95" in shown.stdout


def test_a_model_that_its_installed_plugin_lacks_is_unknown_and_not_skipped(cfbench, tmp_path):
    (tmp_path / "typo.toml").write_text(PARTLY_INSTALLED.replace("popular", "populer"))
    done = cfbench("run", "typo.toml", code=2)
    assert "unknown model 'populer'; did you mean 'popular'" in done.stderr

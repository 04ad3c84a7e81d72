"""`cfbench run`, end to end: what is asked for is computed once, whatever models do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent
HOSTILE = [
    "Raises",
    "WrongShape",
    "WrongType",
    "Infinite",
    "Silent",
    "Writes",
    "Exits",
    "Leaves",
    "Killed",
    "Powerless",
    "Loud",
    "OddSignal",
    "Garbled",
    "NumpyLoss",
    "WordyLoss",
    "Picky",
    "Honest",
]
DATA = "synthetic[n_items=60,n_ratings=1500,n_users=80]"


@pytest.fixture(scope="session")
def plugin_home(tmp_path_factory):
    """A folder on the path with an installed distribution that registers the hostile models."""
    home = tmp_path_factory.mktemp("site")
    (home / "hostile_models.py").write_text((HERE / "hostile.py").read_text())
    info = home / "hostile_models-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-models\nVersion: 1.2\n")
    entries = [f"{name.lower()} = hostile_models:{name}" for name in HOSTILE]
    broken = ["absent = hostile_models:Absent", "gone = no_such_module:Model"]
    others = "[cfbench.metrics]\ndivision = hostile_models:Division\nnameless = hostile_models:Nameless\n"
    others += "[cfbench.splitters]\ntwins = hostile_models:Twins\nstumbles = hostile_models:Stumbles\n"
    models = "[cfbench.models]\n" + "\n".join([*entries, *broken]) + "\n"
    (info / "entry_points.txt").write_text(models + others)
    return home


@pytest.fixture
def cfbench(tmp_path, plugin_home):
    """Run the command line in a folder of its own, in a process of its own."""

    def call(*arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cfbench", *arguments],
            cwd=tmp_path,
            env=environment(plugin_home),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, done.stderr + done.stdout
        return done

    return call


def environment(plugin_home: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(plugin_home), "PYTHONWARNINGS": "error"}


def records(folder: Path) -> dict[str, dict]:
    lines = map(json.loads, (folder / "records.jsonl").read_text().splitlines())
    return {line["cell"]["model"]: line for line in lines if line["kind"] == "record"}


def results(folder: Path) -> dict[str, tuple]:
    """What must not depend on when and how cells were run: all figures but those of cost."""
    lines = map(json.loads, (folder / "records.jsonl").read_text().splitlines())
    cost = {line["metric"] for line in lines if line["kind"] == "definition" and line["contract"]["family"] == "cost"}
    return {
        model: ({name: one for name, one in record["metrics"].items() if name not in cost}, record["tables"])
        for model, record in records(folder).items()
    }


def test_every_kind_of_bad_model_loses_its_own_cell_only(cfbench, tmp_path):
    done = cfbench("run", "-d", DATA, "-m", ",".join([*(n.lower() for n in HOSTILE), "absent"]), "-o", "out", code=1)
    found = records(tmp_path / "out")
    status = {model: record["status"] for model, record in found.items()}
    assert status == {
        "raises": "failed",
        "wrongshape": "failed",
        "wrongtype": "failed",
        "infinite": "failed",
        "silent": "ok",
        "writes": "failed",
        "exits": "crashed",
        "leaves": "failed",
        "killed": "crashed",
        "powerless": "failed",
        "loud": "ok",
        "oddsignal": "crashed",
        "garbled": "failed",
        "numpyloss": "ok",
        "wordyloss": "failed",
        "picky": "ok",
        "honest": "ok",
        "absent": "skipped",
    }
    reasons = {model: record["reason"] for model, record in found.items()}
    assert "ZeroDivisionError: on purpose" in reasons["raises"]
    assert "shape" in reasons["wrongshape"]
    assert "int" in reasons["wrongtype"]
    assert "inf" in reasons["infinite"]
    assert "read-only" in reasons["writes"]
    assert "exit code 7" in reasons["exits"]
    assert "about to leave" in reasons["exits"]
    assert "SystemExit" in reasons["leaves"]
    assert "SIGKILL" in reasons["killed"]
    assert "neither predict nor score_items" in reasons["powerless"]
    assert "no class 'Absent'" in reasons["absent"]
    assert "signal 40" in reasons["oddsignal"]
    assert len(reasons["garbled"]) < 600
    assert found["numpyloss"]["losses"][0]["train_loss"] == 0.5
    assert "expected numbers" in reasons["wordyloss"]
    assert found["silent"]["metrics"]["answered"]["value"] == 0.0
    table = (tmp_path / "out" / "table.md").read_text()
    assert "on purpose" in table
    assert "hostile-models 1.2" in table
    assert "Traceback" not in done.stderr + done.stdout
    assert "loud loud" not in done.stderr + done.stdout


def test_an_honest_cell_beside_hostile_ones_equals_its_solo_run(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "exits,honest,killed", "-o", "mixed", "--jobs", "2", code=1)
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "solo")
    assert results(tmp_path / "mixed")["honest"] == results(tmp_path / "solo")["honest"]


def test_results_do_not_depend_on_jobs_or_on_the_process(cfbench, tmp_path):
    models = "honest,bias,random,popular"
    cfbench("run", "-d", DATA, "-s", "kfold[k=3]", "-m", models, "-o", "one")
    cfbench("run", "-d", DATA, "-s", "kfold[k=3]", "-m", models, "-o", "two", "--jobs", "3")
    cfbench("run", "-d", DATA, "-s", "kfold[k=3]", "-m", models, "-o", "here", "--in-process")
    assert results(tmp_path / "one") == results(tmp_path / "two") == results(tmp_path / "here")


def test_a_second_run_computes_only_what_is_missing(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out")
    cells = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").iterdir()}
    done = cfbench("run", "-d", DATA, "-m", "honest,bias", "-o", "out")
    assert "kept     honest" in done.stderr
    assert "ok       bias" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in cells} == cells
    assert set(records(tmp_path / "out")) == {"honest", "bias"}


def test_force_computes_again_and_a_failed_cell_is_tried_again(cfbench):
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out")
    assert "ok       honest" in cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--force").stderr
    cfbench("run", "-d", DATA, "-m", "raises", "-o", "out", code=1)
    assert "failed   raises" in cfbench("run", "-d", DATA, "-m", "raises", "-o", "out", code=1).stderr


def test_a_metric_that_a_kept_cell_lacks_is_measured_without_fitting(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--metric", "RMSE")
    done = cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--metric", "RMSE", "--metric", "NDCG@5")
    assert "kept     honest" in done.stderr
    assert set(records(tmp_path / "out")["honest"]["metrics"]) == {"RMSE", "NDCG@5"}
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--metric", "MAE")
    assert set(records(tmp_path / "out")["honest"]["metrics"]) == {"MAE"}


def test_a_damaged_cell_is_told_and_computed_again(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out")
    before = results(tmp_path / "out")
    (answers,) = (tmp_path / "out" / "cells").glob("*.npz")
    answers.write_bytes(answers.read_bytes()[:-30])
    done = cfbench("run", "-d", DATA, "-m", "honest", "-o", "out")
    assert "computing the cell again" in done.stderr
    assert results(tmp_path / "out") == before


def test_another_seed_is_another_split_and_other_numbers(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "bias", "-o", "a")
    cfbench("run", "-d", DATA, "-m", "bias", "-o", "b", "--seed", "1")
    assert results(tmp_path / "a") != results(tmp_path / "b")


def test_repeats_share_the_split_and_differ_in_the_models_seed(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "honest", "-o", "out", "--repeats", "3")
    lines = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    cells = [line for line in lines if line["kind"] == "record"]
    assert len({cell["cell"]["split_fingerprint"] for cell in cells}) == 1
    assert len({cell["metrics"]["RMSE"]["value"] for cell in cells}) == 3
    (summary,) = [line for line in lines if line["kind"] == "summary"]
    assert summary["seed_spread"]["RMSE"] > 0


def test_dry_run_shows_the_plan_and_writes_nothing(cfbench, tmp_path):
    done = cfbench("run", "-d", DATA, "-m", "honest,absent", "--dry-run", "-o", "out")
    assert "to compute" in done.stdout
    assert "no class 'Absent'" in done.stdout
    assert not (tmp_path / "out").exists()


def test_cells_that_are_the_same_are_run_once_and_shown_under_each_of_their_names(cfbench, tmp_path):
    done = cfbench("run", "-d", DATA, "-m", "honest,honest[noise=0.01]", "-o", "out")
    assert done.stderr.count("ok       honest") == 1
    found = results(tmp_path / "out")
    assert found["honest"] == found["honest[noise=0.01]"]


def test_a_metric_that_fails_costs_its_figure_and_the_exit_code_but_not_the_fit(cfbench, tmp_path):
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
def test_a_broken_metric_or_splitter_plugin_is_named_and_exits_with_1(cfbench, arguments, complaint):
    done = cfbench("run", "-d", DATA, "-m", "honest", *arguments, code=1)
    assert complaint in done.stderr
    assert "internal error" not in done.stderr


def test_modules_in_the_current_folder_do_not_reach_the_models_processes(cfbench, tmp_path):
    (tmp_path / "random.py").write_text("raise RuntimeError('the wrong random')\n")
    program = "from cfbench.cli import main; main()"
    command = [sys.executable, "-P", "-c", program, "run", "-d", DATA, "-m", "bias", "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_killed_fork_server_loses_its_running_cell_at_once_and_leaves_no_orphan(tmp_path, plugin_home):
    process = start_slow_run(tmp_path, plugin_home, "honest,slow")
    assert process.stderr is not None
    assert "ok       honest" in process.stderr.readline()
    children = wait_for(lambda: [child for child in servers(process) if child.children()])
    (running,) = [grandchild for child in children for grandchild in child.children()]
    children[0].kill()
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert not running.is_running() or running.status() == psutil.STATUS_ZOMBIE  # dead, if not yet reaped
    found = records(tmp_path / "out")
    assert found["slow"]["status"] == "crashed"
    assert "SIGKILL" in found["slow"]["reason"]


def servers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def wait_for(condition, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_report_renders_the_same_tables_from_the_records_alone(cfbench, tmp_path):
    cfbench("run", "-d", DATA, "-m", "honest,bias,popular", "-o", "out")
    before = {path.name: path.read_text() for path in (tmp_path / "out").iterdir() if path.suffix in (".md", ".csv")}
    for path in (tmp_path / "out" / "cells").iterdir():
        path.unlink()
    for name in before:
        (tmp_path / "out" / name).unlink()
    cfbench("report", "out")
    assert {name: (tmp_path / "out" / name).read_text() for name in before} == before


def start_slow_run(tmp_path: Path, plugin_home: Path, models: str) -> subprocess.Popen[str]:
    """Start a run of an honest model and of models that sleep."""
    (tmp_path / "slow_models.py").write_text(
        "import time\nfrom hostile_models import Honest\n\n"
        "class Slow(Honest):\n    '''Takes its time.'''\n    def fit(self, train, context):\n        time.sleep(60)\n"
    )
    info = tmp_path / "slow_models-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-models\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cfbench.models]\nslow = slow_models:Slow\n")
    command = [sys.executable, "-m", "cfbench", "run", "-d", DATA, "-m", models, "-o", "out"]
    path = f"{plugin_home}{os.pathsep}{tmp_path}"
    environ = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)


def test_an_interrupt_keeps_what_is_finished_and_the_table_says_what_is_missing(tmp_path, plugin_home, cfbench):
    process = start_slow_run(tmp_path, plugin_home, "honest,slow,slow[noise=0.5]")
    assert process.stderr is not None
    assert "ok       honest" in process.stderr.readline()
    wait_for(lambda: [child for child in servers(process) if child.children()])
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "finished cells are kept" in rest
    assert "Traceback" not in rest
    assert set(records(tmp_path / "out")) == {"honest"}
    assert cfbench("report", "out").stdout.count("not run: the run was cut off") == 2


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
        (["run", "--job", "2"], "did you mean --jobs"),
        (["run", "quik"], "did you mean 'quick'"),
        (["run", "default", "--quick"], "--quick is a suite"),
        (["rnu"], "did you mean"),
        (["report", "nowhere"], "holds no run"),
    ],
)
def test_a_users_mistake_is_one_clear_line_and_exit_code_2(cfbench, arguments, complaint):
    done = cfbench(*arguments, code=2)
    assert complaint.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_value_that_only_the_model_can_judge_fails_its_cell_in_the_models_words(cfbench):
    done = cfbench("run", "-m", "picky[size=0],honest", "-d", DATA, code=1)
    assert "size must be at least 1, got 0" in done.stderr
    assert "ok       honest" in done.stderr


def test_debug_shows_the_traceback(cfbench):
    assert "Traceback" in cfbench("run", "-m", "honst", "--debug", code=None).stderr


def test_names_are_escaped_wherever_they_are_rendered(cfbench, tmp_path):
    rows = [f"u{u},i{i},{(u * i) % 5 + 1}" for u in range(30) for i in range(20) if (u + i) % 3]
    (tmp_path / "a|b[red]<script>.csv").write_text("user_id,item_id,rating\n" + "\n".join(rows) + "\n")
    done = cfbench("run", "-d", "./a|b[red]<script>.csv", "-m", "bias", "-o", "out", code=None)
    if done.returncode == 0:
        assert "<script>" not in (tmp_path / "out" / "table.md").read_text()
    else:
        assert done.returncode == 2

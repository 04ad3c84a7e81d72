"""Who else is told of a run: a log, trackers, and the times at its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

DATA = ("-d", "synthetic[n_items=60,n_ratings=1500,n_users=80]", "-m", "global-mean,item-mean", "-s", "holdout")

TRACKERS = '''
from dataclasses import dataclass
from pathlib import Path

from cfbench.execution import RunEvents

@dataclass
class Notebook(RunEvents):
    """Records the events of cells."""
    path: str = "notebook.txt"

    def run_started(self, run):
        Path(self.path).write_text(f"begin {run.suite} {len(run.cells)} {','.join(run.settings['models'])}\\n")

    def _add(self, text):
        with Path(self.path).open("a") as file:
            file.write(text + "\\n")

    def cell_kept(self, record):
        self._add(f"{record.cell.model} {record.status} True")

    def cell_finished(self, record):
        self._add(f"{record.cell.model} {record.status} False")

    def run_finished(self, files, *, complete):
        self._add(f"end {complete} {sorted(path.name for path in files)}")

class Broken(RunEvents):
    """Cannot begin."""
    def run_started(self, run):
        raise ConnectionError("no route to host")

class Deaf:
    """Is no listener."""
    def run_started(self, run): ...
'''


SLOW = """
import time

class Slow:
    '''Sleeps.'''
    def fit(self, train, context):
        time.sleep(60)

    def predict(self, users, items): ...
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder on the path with a distribution that registers trackers."""
    home = tmp_path_factory.mktemp("trackers")
    (home / "some_trackers.py").write_text(TRACKERS)
    info = home / "some_trackers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-trackers\nVersion: 1.0\n")
    entries = "".join(f"{name} = some_trackers:{name.title()}\n" for name in ("notebook", "broken", "deaf"))
    (info / "entry_points.txt").write_text(f"[cfbench.trackers]\n{entries}[cfbench.models]\nslow = slow_model:Slow\n")
    (home / "slow_model.py").write_text(SLOW)
    return home


@pytest.fixture(scope="module")
def watched(call_cfbench, home, tmp_path_factory):
    """A run and the same one again, with a log and a tracker; the folder, and both runs' messages."""
    folder = tmp_path_factory.mktemp("watched")
    arguments = ("run", *DATA, "-o", "out", "--log-json", "log.jsonl", "--track", "notebook")
    first = call_cfbench(folder, *arguments, home=home).stderr
    (folder / "notebook.txt").rename(folder / "first.txt")
    return folder, first, call_cfbench(folder, *arguments, home=home).stderr


def events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_log_tells_both_runs_one_after_the_other(watched):
    told = [line["event"] for line in events(watched[0] / "log.jsonl")]
    ends = [line for line in events(watched[0] / "log.jsonl") if line["event"] == "run-finished"]
    assert (told.count("run-started"), told.count("cell-started"), told.count("cell-finished")) == (2, 2, 2)
    assert told.count("cell-kept") == 2
    assert [(end["statuses"], end["kept"], end["missing"]) for end in ends] == [({"ok": 2}, 0, 0), ({}, 2, 0)]
    assert not any(end["interrupted"] for end in ends)


def test_the_log_names_the_figures_of_every_cell(watched):
    for line in events(watched[0] / "log.jsonl"):
        if line["event"] in ("cell-finished", "cell-kept"):
            assert line["cell"]["model"] in ("global-mean", "item-mean")
            assert line["metrics"]["RMSE"] > 0
            assert line["seconds"]["fit"] >= 0


def test_a_tracker_is_told_of_cells_kept_cells_and_files(watched):
    first = (watched[0] / "first.txt").read_text().splitlines()
    again = (watched[0] / "notebook.txt").read_text().splitlines()
    assert first[0] == again[0] == "begin default-custom 2 global-mean,item-mean"
    assert sorted(first[1:3]) == ["global-mean ok False", "item-mean ok False"]
    assert sorted(again[1:3]) == ["global-mean ok True", "item-mean ok True"]
    assert first[3].startswith("end True")
    for name in ("table.md", "records.jsonl", "suite.json", "timing.json"):
        assert name in first[3]


def test_a_run_tells_where_its_time_went_and_keeps_it(watched):
    folder, first, again = watched
    assert "2 cells computed, 0 kept, in" in first
    assert "0 cells computed, 2 kept, in" in again
    assert "where the time went" in first
    times = json.loads((folder / "out" / "timing.json").read_text())
    assert (times["computed"], times["kept"], times["cells"]) == (0, 2, {})
    assert {"load", "split", "measure"} <= times["own"].keys()


def test_a_run_that_is_interrupted_is_told_as_such(home, tmp_path):
    arguments = (
        "run",
        *DATA[:2],
        "-s",
        "holdout",
        "-m",
        "slow",
        "-o",
        "out",
        "--log-json",
        "log.jsonl",
        "--track",
        "notebook",
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "cfbench", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    log = tmp_path / "log.jsonl"
    while time.monotonic() < deadline and not (log.exists() and '"phase": "fit"' in log.read_text()):
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    assert "interrupted; finished cells are kept" in run.communicate(timeout=120)[1]
    assert run.returncode == 130
    last = events(log)[-1]
    assert (last["event"], last["interrupted"], last["missing"]) == ("run-finished", True, 1)
    assert (tmp_path / "notebook.txt").read_text().splitlines()[-1] == "end False []"


def test_with_the_log_on_standard_error_there_is_nothing_else_remarks_are_notes_of_it(call_cfbench, home, tmp_path):
    models = ("-m", "global-mean,bias[iterations=0]")
    done = call_cfbench(tmp_path, "run", *DATA[:2], *models, "-o", "out", "--log-json", "-", home=home, code=1)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    notes = [line["text"] for line in lines if line["event"] == "note"]
    assert "wrote out/table.md" in notes
    assert any(note.startswith("cfbench: failed: bias[iterations=0] on synthetic") for note in notes)
    assert lines[-1]["event"] == "run-finished"


@pytest.mark.skipif(find_spec("codecarbon") is None, reason="codecarbon is not installed")
def test_electricity_is_metered_in_the_cells_process_where_it_is_asked_for(call_cfbench, tmp_path):
    call_cfbench(tmp_path, "run", *DATA, "-o", "out", "--metric", "RMSE,energy-kWh", "--energy")
    lines = map(json.loads, (tmp_path / "out" / "records.jsonl").read_text().splitlines())
    cells = [line for line in lines if line["kind"] == "record"]
    assert len(cells) == 2
    for cell in cells:
        assert 0 < cell["metrics"]["energy-kWh"]["value"] == cell["cost"]["energy_kwh"] < 1e-3
        assert "codecarbon" in cell["cost"]["energy_method"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_tracker_that_fails_is_told_and_results_are_there(call_cfbench, home, tmp_path):
    done = call_cfbench(tmp_path, "run", *DATA, "-o", "out", "--track", "broken", home=home)
    assert "--track broken failed and is given up, results are kept: ConnectionError: no route to host" in done.stderr
    assert (tmp_path / "out" / "table.md").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--track", "notebok"), "did you mean 'notebook'?"),
        (("--track", "notebook[colour=red]"), "unknown parameter of tracker 'notebook': 'colour'"),
        (
            ("--track", "deaf"),
            "--track deaf is no tracker: Deaf must be derived from cfbench.execution.RunEvents",
        ),
        (("--log-json", "nowhere/log"), "--log-json nowhere/log cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_computed(refused, home, tmp_path, option, said):
    assert said in refused(tmp_path, "run", *DATA, "-o", "out", *option, home=home)
    assert not (tmp_path / "out" / "cells").exists()

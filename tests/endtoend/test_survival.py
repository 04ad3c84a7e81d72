"""What a run has computed outlives it, however it ends, and several runs may share a folder."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from itertools import count
from pathlib import Path

import psutil
import pytest

DATA = "synthetic[n_items=60,n_ratings=1500,n_users=80]"
METRICS = "RMSE,NDCG@10,cold-users,Gini@10"
TABLES = ("table.md", "metrics.csv", "strata.csv", "comparisons.csv")


@pytest.fixture
def start(tmp_path, environment):
    """Start a run in the folder ``out`` of a place, and do not wait for it; what a test leaves behind is ended."""
    started: list[subprocess.Popen[str]] = []

    def begin(place: Path, models: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        place.mkdir(exist_ok=True)
        options = ["-d", DATA, "-m", models, "--metric", METRICS, "-o", "out", *arguments]
        command = [sys.executable, "-m", "cfbench", "run", *options]
        environ = {**environment, **variables}
        process = subprocess.Popen(
            command, cwd=place, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def patient(n: int, **params: object) -> str:
    others = "".join(f",{name}={value}" for name, value in params.items())
    return ",".join(f"patient[noise={0.01 * (one + 1):.2f}{others}]" for one in range(n))


def finished(process: subprocess.Popen[str], code: int = 0) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    return err


def claims(place: Path) -> list[Path]:
    """Return the locks of the cells that runs have taken and not concluded."""
    return list((place / "out" / "cells").glob("*.lock"))


def tables(folder: Path) -> dict[str, bytes]:
    """Return the tables as they lie on the disk: without metrics of cost they do not depend on when cells ran."""
    return {name: (folder / name).read_bytes() for name in TABLES}


def computed(told: list[str]) -> int:
    """Return how many cells runs say that they have computed."""
    return sum(int(number) for one in told for number in re.findall(r"(\d+) cells? computed", one))


@pytest.mark.parametrize(
    "moments", [pytest.param(30, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.nightly)]
)
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_very_tables_of_a_calm_one(
    start, tmp_path, wait_for, marked, moments
):
    models, options = f"{patient(9)},bias,raises", ("--jobs", "2")
    began = time.monotonic()
    finished(start(tmp_path / "calm", models, *options), code=1)
    whole = time.monotonic() - began
    expected = tables(tmp_path / "calm" / "out")
    rng, kills, runs, mark = random.Random(moments), 0, 0, uuid.uuid4().hex
    temporary = tmp_path / "temporary"
    while kills < moments:
        place = tmp_path / f"killed-{runs}"
        runs += 1
        for attempt in count(1):
            process = start(place, models, *options, "--workspace", str(temporary), CFBENCH_MARK=mark)
            try:  # each time a little longer, so that one comes to its end where the machine has slowed down meanwhile
                process.wait(rng.uniform(0.1, 1.0) * whole * (1 + attempt / 5))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                wait_for(lambda: not marked(mark))
            else:
                finished(process, code=1)
                break
        assert tables(place / "out") == expected
        assert not [path for path in (place / "out").rglob("*") if path.name.startswith(".") or path.suffix == ".lock"]
    assert runs > 1
    assert list(temporary.rglob("*")) == []


def test_two_runs_in_one_folder_share_the_work_and_come_to_the_same_tables(start, tmp_path, results, wait_for):
    door = tmp_path / "door"
    models = patient(8, door=door) + ",raises"
    first = start(tmp_path / "shared", models)
    second = start(tmp_path / "shared", models)
    wait_for(lambda: len(claims(tmp_path / "shared")) == 2)  # each has begun a cell
    door.touch()
    told = [finished(first, code=1), finished(second, code=1)]
    assert computed(told) == 9  # each cell once, by one of the two
    assert all(f"ok            patient[door={door},noise=0.0" in one for one in told)
    assert any("another run" in one for one in told)
    assert len(results(tmp_path / "shared" / "out")) == 9
    finished(start(tmp_path / "alone", models), code=1)
    assert tables(tmp_path / "shared" / "out") == tables(tmp_path / "alone" / "out")
    assert not claims(tmp_path / "shared")


def test_a_run_takes_over_what_a_killed_neighbour_had_taken(start, tmp_path, wait_for):
    models = patient(2, door=tmp_path / "door")
    first = start(tmp_path / "shared", models)
    wait_for(lambda: claims(tmp_path / "shared"))
    second = start(tmp_path / "shared", models)
    wait_for(lambda: len(claims(tmp_path / "shared")) == 2)  # the second has left one cell to the first
    first.kill()
    first.communicate()
    (tmp_path / "door").touch()
    assert finished(second).count("ok  ") == 2


def test_a_failure_of_the_other_run_is_taken_over_and_not_tried_again(start, tmp_path, wait_for, records):
    models = f"patient[door={tmp_path / 'door'},noise=-1.0]"
    first = start(tmp_path / "shared", models)
    wait_for(lambda: claims(tmp_path / "shared"))
    second = start(tmp_path / "shared", models)
    assert second.stderr is not None
    assert "computed by another run" in second.stderr.readline()
    (tmp_path / "door").touch()
    told = [finished(first, code=1), finished(second, code=1)]
    assert computed(told) == 1
    (record,) = records(tmp_path / "shared" / "out").values()
    assert record["status"] == "failed"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP], ids=["interrupt", "terminal-closes"])
def test_an_interrupt_keeps_what_is_finished_and_the_table_says_what_is_missing(
    start, tmp_path, wait_for, records, call_cfbench, how
):
    process = start(tmp_path / "here", "honest,patient[seconds=60],patient[noise=0.5,seconds=60]")
    assert process.stderr is not None
    assert "ok            honest" in process.stderr.readline()
    wait_for(lambda: watched_cell(process))
    process.send_signal(how)
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "finished cells are kept" in rest
    assert "Traceback" not in rest
    assert set(records(tmp_path / "here" / "out")) == {"honest"}
    assert call_cfbench(tmp_path / "here", "report", "out").stdout.count("not run: the run was cut off") == 2


def test_an_interrupt_ends_a_run_of_cells_in_its_own_process_at_once(start, tmp_path, records, wait_for):
    process = start(tmp_path / "here", "honest,patient[seconds=60]", "--executor", "in-process")
    assert process.stderr is not None
    assert "ok            honest" in process.stderr.readline()
    wait_for(lambda: claims(tmp_path / "here"))
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert "finished cells are kept" in rest
    assert "Traceback" not in rest
    assert set(records(tmp_path / "here" / "out")) == {"honest"}


def watched_cell(process: subprocess.Popen[str]) -> tuple[psutil.Process, psutil.Process] | None:
    """Return a running cell and its watchdog; the fork server beside the cell rests."""
    for keeper in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):
            for watchdog in keeper.children():
                below = watchdog.children()
                running = [child for child in below if child.status() != psutil.STATUS_STOPPED]
                if running and len(running) < len(below):
                    return running[0], watchdog
    return None


def test_a_cell_whose_watchdog_dies_is_tried_once_more_and_then_recorded_as_crashed(start, tmp_path, wait_for, records):
    process = start(tmp_path / "here", "honest,patient[seconds=60]", "-j", "2")
    assert process.stderr is not None
    assert "ok            honest" in process.stderr.readline()
    for _ in range(2):
        cell, watchdog = wait_for(lambda: watched_cell(process))
        watchdog.kill()
        wait_for(lambda cell=cell: not cell.is_running() or cell.status() == psutil.STATUS_ZOMBIE)
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "tried once more" in rest
    found = records(tmp_path / "here" / "out")
    assert found["honest"]["status"] == "ok"
    assert found["patient[seconds=60]"]["status"] == "crashed"
    assert "SIGKILL, twice" in found["patient[seconds=60]"]["reason"]


def test_nothing_of_a_killed_run_lingers_and_the_next_one_removes_its_working_folder(start, tmp_path, wait_for, marked):
    mark, home = uuid.uuid4().hex, tmp_path / "temporary"
    finished(start(tmp_path / "here", "honest"))  # the next run, below, finds nothing to compute
    process = start(tmp_path / "here", "lingers,nurses", "--workspace", str(home), CFBENCH_MARK=mark)
    wait_for(lambda: len(marked(mark)) == 6)  # run, keeper, watchdog, fork server, cell, child
    process.kill()
    process.communicate()
    wait_for(lambda: not marked(mark))
    assert len(list(home.iterdir())) == 1
    finished(start(tmp_path / "here", "honest", "--workspace", str(home)))
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_nothing_of_a_run_lingers_where_those_who_would_end_it_are_stopped(start, tmp_path, wait_for, marked, how):
    mark = uuid.uuid4().hex
    process = start(tmp_path / "here", "nurses", CFBENCH_MARK=mark)
    wait_for(lambda: len(marked(mark)) == 6)
    _, watchdog = wait_for(lambda: watched_cell(process))
    for one in (watchdog.parent(), watchdog):
        one.suspend()
    process.send_signal(how)
    process.communicate()
    wait_for(lambda: not marked(mark))


def test_spoilt_cells_are_told_and_computed_again_never_trusted(cfbench, tmp_path, results):
    command = ("run", "-d", DATA, "-m", f"bias,{patient(5)}", "--metric", "RMSE,NDCG@10", "-o", "out")
    cfbench(*command)
    before = results(tmp_path / "out")
    torn, empty, swapped, altered, other, sound = sorted((tmp_path / "out" / "cells").glob("*.json"))
    torn.write_text(torn.read_text()[: torn.stat().st_size // 2])
    empty.write_text("")
    swapped.write_bytes(sound.read_bytes())
    altered.write_text(altered.read_text().replace("RMSE", "RSME"))
    other.write_text("{}")
    done = cfbench(*command)
    assert done.stderr.count("computing the cell again") == 5
    assert "5 cells computed, 1 kept" in done.stderr
    assert results(tmp_path / "out") == before


def test_a_folder_that_cannot_be_written_is_told_at_once(cfbench, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o555)
    done = cfbench("run", "-d", DATA, "-m", "honest", "-o", "closed", code=2)
    assert "cannot be written to" in done.stderr

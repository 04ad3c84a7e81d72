"""Models that misbehave in every way lose their own cells, and nothing else: no figure, no file, no process."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from cfbench.execution.sandbox import landlock_version

DATA = "synthetic[n_items=60,n_ratings=1500,n_users=80]"
METRICS = "RMSE,NDCG@10,ARP@10,coverage@10,prediction-coverage"
HONEST = ["honest", "bias", "popular", "honest[noise=0.5]"]
STATUS = {
    "raises": "failed",
    "wrongshape": "failed",
    "wrongtype": "failed",
    "infinite": "failed",
    "silent": "ok",
    "writes": "failed",
    "leaves": "failed",
    "powerless": "failed",
    "garbled": "failed",
    "wordyloss": "failed",
    "numpyloss": "ok",
    "picky": "ok",
    "hangs": "timeout",
    "hoards": "out-of-memory",
    "hoardsslowly": "out-of-memory",
    "hoardsinachild": "out-of-memory",
    "exits": "crashed",
    "killed": "crashed",
    "oddsignal": "crashed",
    "segfaults": "crashed",
    "lingers": "ok",
    "loud": "ok",
    "shouts": "ok",
    "meddles": "ok",
    "deletes": "ok",
    "closes": "ok",
    "babbles": "ok",
    "forges": "failed",
    "peeks": "ok",
    "absent": "skipped",
    "gone": "skipped",
}
REASONS = {
    "raises": "ZeroDivisionError: on purpose",
    "wrongshape": "shape",
    "wrongtype": "int",
    "infinite": "inf",
    "writes": "read-only",
    "leaves": "SystemExit",
    "powerless": "neither predict nor score_items",
    "wordyloss": "expected numbers",
    "hangs": "longer than the 12 s allowed by --timeout",
    "hoards": "Unable to allocate",
    "hoardsslowly": "more than the 286 MiB allowed by --memory-limit",
    "hoardsinachild": "more than the 286 MiB allowed by --memory-limit",
    "exits": "exit code 7 before it answered; it last printed: about to leave",
    "killed": "SIGKILL",
    "oddsignal": "signal 40",
    "segfaults": "SIGSEGV",
    "forges": "an outcome that cannot be read",
    "absent": "no class 'Absent'",
    "gone": "no_such_module",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("line-up")


@pytest.fixture(scope="module")
def run_in(place, plugin_home, marked):
    """Run models and return what the command said, with the marks of its environment's processes that are left."""

    def run(folder: str, models: list[str], *arguments: str) -> tuple[subprocess.CompletedProcess[str], list]:
        mark = uuid.uuid4().hex
        environ = {**os.environ, "PYTHONPATH": str(plugin_home), "CFBENCH_MARK": mark, "CFBENCH_DATA": str(place)}
        options = ["-d", DATA, "-m", ",".join(models), "--metric", METRICS, "-o", folder, *arguments]
        command = [sys.executable, "-m", "cfbench", "run", *options]
        done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, timeout=600, check=False)
        return done, marked(mark)

    return run


@pytest.fixture(scope="module")
def mixed(run_in):
    """Every bad model between honest ones, two cells at a time, under limits."""
    bad = list(STATUS)
    step = len(bad) // len(HONEST) + 1
    models = [one for start, honest in enumerate(HONEST) for one in [*bad[start * step : (start + 1) * step], honest]]
    return run_in("mixed", models, "--jobs", "2", "--timeout", "12s", "--memory-limit", "300MB")


@pytest.fixture(scope="module")
def solo(run_in, place, results):
    """What honest models show where nobody else runs."""
    run_in("solo", HONEST)
    return results(place / "solo")


def test_every_bad_cell_has_the_right_status_with_its_reason_and_the_tail_of_its_log(mixed, place, records):
    found = records(place / "mixed")
    assert mixed[0].returncode == 1
    assert {name: found[name]["status"] for name in STATUS} == STATUS
    for name, reason in REASONS.items():
        assert reason in found[name]["reason"], name
    assert len(found["garbled"]["reason"]) < 600
    assert found["exits"]["log_tail"] == "about to leave"
    assert "ZeroDivisionError: on purpose" in found["raises"]["log_tail"]
    assert found["hoardsslowly"]["cost"]["peak_memory"] > 300e6
    assert found["numpyloss"]["losses"][0]["train_loss"] == 0.5
    assert found["silent"]["metrics"]["prediction-coverage"]["value"] == 0.0


def test_honest_cells_beside_bad_ones_equal_their_solo_runs(mixed, place, solo, results):
    beside = results(place / "mixed")
    assert {name: beside[name, ""] for name in HONEST} == {name: solo[name, ""] for name in HONEST}


def test_nothing_lingers_after_a_run(mixed):
    assert mixed[1] == []


def test_the_table_tells_what_went_wrong_and_the_terminal_shows_no_traceback_and_no_models_output(mixed, place):
    done = mixed[0]
    table = (place / "mixed" / "table.md").read_text()
    assert "on purpose" in table
    assert "timeout" in table
    assert "out-of-memory" in table
    assert "hostile-models 1.2" in table
    assert "Traceback" not in done.stderr + done.stdout
    assert "loud loud" not in done.stderr + done.stdout


def test_what_a_model_prints_is_kept_in_its_log_up_to_a_bound(mixed, place, records):
    cell = records(place / "mixed")["shouts"]["cell"]
    logs = {path.name: path.stat().st_size for path in (place / "mixed" / "logs").iterdir()}
    assert 4_000_000 < max(logs.values()) < 5_000_000
    assert cell["model"] == "shouts"
    shouted = next(path for path in (place / "mixed" / "logs").iterdir() if logs[path.name] > 4_000_000)
    assert "bytes are left out here" in shouted.read_text()


def test_working_folders_go_with_the_run(place, run_in):
    home = place / "temporary"
    run_in("tidy", ["honest", "exits", "deletes"], "--workspace", str(home))
    assert list(home.iterdir()) == []


@pytest.mark.skipif(landlock_version() < 6, reason="the kernel has no Landlock, or one that does not confine signals")
def test_a_model_cannot_write_to_the_store_or_to_the_data_or_kill_its_keepers(place, run_in, solo, records, results):
    run_in("kept", ["honest"])
    (record,) = (place / "kept" / "cells").glob("*.json")
    before = record.read_bytes()
    vandal = f"vandal[where={record}]"
    into = f"vandal[where={place}/kept/cells/new.json]"
    data = f"vandal[where={place}/ratings.csv]"
    models = [vandal, into, data, "rewrites", "shoots", "honest", "bias"]
    _, left = run_in("kept", models, "--jobs", "2")
    found = records(place / "kept")
    assert {found[name]["status"] for name in (vandal, into, data, "rewrites", "shoots")} == {"failed"}
    assert all("denied" in found[name]["reason"] or "not permitted" in found[name]["reason"] for name in models[:5])
    assert record.read_bytes() == before
    assert not (place / "kept" / "cells" / "new.json").exists()
    assert results(place / "kept")["bias", ""] == solo["bias", ""]
    assert left == []


@pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")
def test_a_model_cannot_write_to_the_users_own_files_wherever_they_lie(tmp_path, place, run_in, records):
    for name in ("ratings", "items", "other"):
        (tmp_path / f"{name}.csv").write_text("item,title\n" + "".join(f"{number},t\n" for number in range(20)))
    rows = "".join(f"{user},{item},{user % 5 + 1}\n" for user in range(20) for item in range(0, 20, 2))
    (tmp_path / "ratings.csv").write_text(f"user,item,rating\n{rows}")
    vandals = {name: f"vandal[where={tmp_path}/{name}.csv]" for name in ("ratings", "items", "other")}
    run_in("owned", list(vandals.values()), "-d", f"{tmp_path}/ratings.csv[items={tmp_path}/items.csv]")
    found = records(place / "owned")
    assert all("denied" in found[vandal]["reason"] for vandal in vandals.values())
    assert (tmp_path / "ratings.csv").read_text() == f"user,item,rating\n{rows}"
    assert "spoilt" not in (tmp_path / "items.csv").read_text()
    assert "spoilt" not in (tmp_path / "other.csv").read_text()


@pytest.mark.skipif(
    not landlock_version(), reason="the kernel has no Landlock: the fork server's own home stays writable"
)
def test_no_cell_finds_in_its_home_what_the_cell_before_it_left_there(place, run_in, records):
    done, _ = run_in("homes", ["remembers", "settled"], "-s", "kfold[k=3]")
    assert done.returncode == 0, done.stderr
    assert {record["status"] for record in records(place / "homes").values()} == {"ok"}


def test_first_party_plugins_leave_nothing_at_import_that_keeps_cells_from_being_forked(place, run_in, records):
    models = ["bias", "implicit-als", "myfm", "sgd-mf", "svd", "surprise-svd", "dot"]
    done, _ = run_in("forked", models, "--energy", "--executor", "processes[jobs=2]")
    assert {name: record["status"] for name, record in records(place / "forked").items()} == dict.fromkeys(models, "ok")
    assert "import it themselves" not in done.stderr


def test_plugins_import_and_run_where_the_users_home_cannot_be_written_to(place, plugin_home):
    home = place / "home"
    home.mkdir(mode=0o500)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CFBENCH_"))}
    environ |= {"PYTHONPATH": str(plugin_home), "HOME": str(home / "none")}
    options = ["-d", DATA, "-m", "settled,surprise-svd", "--metric", METRICS, "-o", "homeless"]
    command = [sys.executable, "-m", "cfbench", "run", *options]
    done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr

"""A session on a worker ends with its run: closed, while it is being opened too, or by its lease."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cfbench.execution import Outcome
from cfbench_dask import worker_session
from cfbench_dask.worker_session import WorkerSession, answer, open_session


@pytest.fixture
def worker(tmp_path):
    return SimpleNamespace(id=str(tmp_path), local_directory=str(tmp_path / "worker"), address="tcp://w:2")


def left_by(worker) -> list[str]:
    return [path.name for path in Path(worker.local_directory).glob("*")]


def test_a_session_is_named_by_its_token_and_closed_with_its_files(worker, tmp_path):
    (tmp_path / "seen").write_text("run")
    facts = open_session(worker, "run", {}, [], str(tmp_path / "seen"))["value"]
    assert facts["shares"] is True
    assert left_by(worker) == [f"cfbench-{facts['token']}"]
    assert answer(worker, "run", facts["token"], "renew") == {"value": None}
    assert answer(worker, "run", "", "renew") == {"value": None}
    assert answer(worker, "run", "another", "renew") == {"gone": "it no longer works for this run"}
    answer(worker, "run", "", "close")
    assert left_by(worker) == []
    assert answer(worker, "run", facts["token"], "renew") == {"gone": "it no longer works for this run"}


def test_a_second_session_of_a_run_ends_the_first(worker):
    first, second = (open_session(worker, "twice", {}, [], "")["value"]["token"] for _ in range(2))
    assert left_by(worker) == [f"cfbench-{second}"]
    assert "gone" in answer(worker, "twice", first, "renew")
    answer(worker, "twice", "", "close")


def test_a_session_that_is_opened_after_its_run_has_ended_is_closed(worker):
    answer(worker, "over", "", "close")
    facts = open_session(worker, "over", {}, [], "")["value"]
    assert left_by(worker) == []
    assert "gone" in answer(worker, "over", facts["token"], "renew")


def test_a_session_that_no_run_renews_ends(worker, monkeypatch, wait_for):
    for wait in ("LEASE", "_LOOK"):
        monkeypatch.setattr(worker_session, wait, 0.1)
    token = open_session(worker, "killed", {}, [], "")["value"]["token"]
    wait_for(lambda: left_by(worker) == [])
    assert "gone" in answer(worker, "killed", token, "renew")


def test_what_the_disk_of_a_worker_refuses_is_told(worker):
    token = open_session(worker, "full", {}, [], "")["value"]["token"]
    root = f"{worker.local_directory}/cfbench-{token}"
    wrong = answer(worker, "full", token, "store", "no/such", 0, b"1", 1)
    assert wrong == {"wrong": f"cannot keep the data in {root}: No such file or directory"}
    assert answer(worker, "full", token, "fetch", "a", 0)["wrong"].startswith(f"cannot work in {root}: ")
    damaged = answer(worker, "full", token, "store", "one", 0, b"1", 1)
    assert damaged == {"wrong": "was sent what arrived damaged: File is not a zip file"}
    answer(worker, "full", "", "close")


def test_a_worker_without_room_says_so(worker, tmp_path):
    (tmp_path / "worker").write_text("no folder")
    assert open_session(worker, "none", {}, [], "")["wrong"].endswith("Not a directory")


@pytest.mark.parametrize(("change", "status"), [("", "ok"), ("the code of d was changed", "failed")])
def test_a_cell_whose_code_was_changed_on_the_worker_fails(tmp_path, make_task, change, status):
    task = make_task("one", "bias")
    Path(task.folder).mkdir(parents=True)
    usable = {(task.distribution, task.import_path): SimpleNamespace(code_change=lambda: change)}
    session = WorkerSession(tmp_path / "session", "token", print, usable)
    try:
        facts = session._packed(Outcome(task, "ok"))
    finally:
        session.close()
    assert facts["status"] == status
    assert facts["reason"] == (f"{change} on the worker during the run" if change else "")

"""Every event of a run as a line of JSON."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cfbench.errors import UsageError
from cfbench.model.protocols import EpochReport
from cfbench.monitoring.broadcast import Broadcast
from cfbench.monitoring.json_log import JsonLog


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@contextmanager
def logged(log, *, run):
    """Notify a log of a run, as the command line does."""
    events = Broadcast([log])
    with events.during(run):
        yield events


def test_a_run_is_told_from_its_start_to_its_totals(tmp_path, make_cell, make_run, make_task, make_record):
    one, two, three = make_cell("dot", fold="1"), make_cell("svd"), make_cell("nn")
    path = tmp_path / "log.jsonl"
    with logged(JsonLog.open(str(path), pytest.fail), run=make_run(one, two, three)) as log:
        log.cell_kept(make_record(two, fit=1.0))
        log.cell_started(make_task(one))
        log.cell_phase(make_task(one), "fit")
        log.cell_epoch(make_task(one), EpochReport(1, 5, 0.5, None))
        log.cell_usage(make_task(one), 1.0, 1)
        log.cell_finished(make_record(one, "timeout", fit=2.0))
        log.note("a remark\nof two lines")
        log.files = []
    told = lines(path)
    assert [line["event"] for line in told] == [
        "run-started",
        "cell-kept",
        "cell-started",
        "cell-phase",
        "cell-epoch",
        "cell-finished",
        "note",
        "run-finished",
    ]
    assert (told[0]["suite"], told[0]["cells"]) == ("by-hand", 3)
    assert told[2]["cell"] == {
        "key": one.key,
        "model": "dot",
        "dataset": "data",
        "split": "holdout",
        "fold": "1",
        "repeat": 0,
    }
    assert told[3]["phase"] == "fit"
    assert (told[4]["epoch"], told[4]["epochs"], told[4]["train_loss"], told[4]["validation_loss"]) == (1, 5, 0.5, None)
    assert (told[5]["status"], told[5]["seconds"], told[5]["metrics"]["RMSE"]) == ("timeout", {"fit": 2.0}, 0.5)
    assert told[6]["text"] == "a remark\nof two lines"
    assert told[7]["statuses"] == {"timeout": 1}
    assert (told[7]["kept"], told[7]["missing"], told[7]["interrupted"]) == (1, 1, False)


def test_times_are_utc_and_say_so(tmp_path, make_cell, make_run):
    path = tmp_path / "log.jsonl"
    with logged(JsonLog.open(str(path), pytest.fail), run=make_run(make_cell())):
        pass
    moment = datetime.fromisoformat(lines(path)[0]["time"])
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_a_run_that_was_cut_off_is_told_as_such_and_the_next_one_adds_to_the_file(tmp_path, make_cell, make_run):
    path = tmp_path / "log.jsonl"
    run = make_run(make_cell())
    with (
        pytest.raises(KeyboardInterrupt),
        logged(JsonLog.open(str(path), pytest.fail), run=run),
    ):
        raise KeyboardInterrupt
    with logged(JsonLog.open(str(path), pytest.fail), run=run) as log:
        log.files = []
    ends = [line for line in lines(path) if line["event"] == "run-finished"]
    assert [(end["interrupted"], end["missing"]) for end in ends] == [(True, 1), (False, 1)]


@pytest.mark.parametrize("before", ["", '{"event": "note"}\n', '{"event": "note"}\n{"ev'])
def test_a_line_that_a_killed_run_left_torn_spoils_no_line_of_the_next_one(tmp_path, make_cell, make_run, before):
    path = tmp_path / "log.jsonl"
    path.write_text(before)
    with logged(JsonLog.open(str(path), pytest.fail), run=make_run(make_cell())):
        pass
    told = path.read_text().removeprefix(before).removeprefix("\n" if before.endswith("v") else "")
    assert [json.loads(line)["event"] for line in told.splitlines()] == ["run-started", "run-finished"]


def test_a_loss_that_json_cannot_say_is_its_name(tmp_path, make_cell, make_run, make_task):
    path, cell = tmp_path / "log.jsonl", make_cell()
    with logged(JsonLog.open(str(path), pytest.fail), run=make_run(cell)) as log:
        log.cell_epoch(make_task(cell), EpochReport(1, 5, float("nan"), float("inf")))
    assert (lines(path)[1]["train_loss"], lines(path)[1]["validation_loss"]) == ("nan", "inf")


def test_lines_are_there_as_soon_as_the_event_is(tmp_path, make_cell, make_run):
    path = tmp_path / "log.jsonl"
    with logged(JsonLog.open(str(path), pytest.fail), run=make_run(make_cell())) as log:
        log.note("now")
        assert lines(path)[-1]["text"] == "now"


def test_a_dash_is_standard_error(capsys, make_cell, make_run):
    with logged(JsonLog.open("-", pytest.fail), run=make_run(make_cell())):
        pass
    told = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert told == ["run-started", "run-finished"]


def test_a_file_that_cannot_be_opened_is_the_users_to_mend(tmp_path):
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        JsonLog.open(str(tmp_path / "nowhere" / "log"), pytest.fail)


def test_a_disk_that_fills_up_is_told_once_and_costs_nothing_else(make_cell, make_run, make_record):
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    complaints: list[str] = []
    cell = make_cell()
    with logged(JsonLog(Full(), complaints.append), run=make_run(cell)) as log:
        log.cell_finished(make_record(cell))
    assert complaints == ["the JSON log cannot be written any more: No space left on device; the run goes on"]


def test_an_option_in_place_of_a_file_is_a_mistake():
    with pytest.raises(UsageError, match="got '--force', which looks like an option"):
        JsonLog.open("--force", pytest.fail)

"""What a cell under watch is said to have ended by."""

import signal

import pytest

from cfbench.execution import watched_cell
from cfbench.execution.contract import Task
from cfbench.execution.watched_cell import WatchedCell


@pytest.fixture
def cell(tmp_path):
    for name in ("inputs", "cell", "work"):
        (tmp_path / name).mkdir()
    task = Task(
        name="key", distribution="tests", label="model", import_path="tests:Model", params={},
        inputs=str(tmp_path / "inputs"), folder=str(tmp_path / "cell"), log=str(tmp_path / "log"), seed=1,
        list_length=1, device="cpu", threads=1,
    )  # fmt: skip
    return WatchedCell(task, lambda **_: None, tmp_path / "work")


@pytest.mark.parametrize(
    ("limited_by", "of_group", "exceeded"),
    [("cgroup-v2", False, ""), ("cgroup-v2", True, "out-of-memory"), ("watchdog", False, "out-of-memory")],
)
def test_kills_by_the_kernel_elsewhere_count_only_where_nothing_counts_those_of_the_cell(
    cell, monkeypatch, limited_by, of_group, exceeded
):
    monkeypatch.setattr(watched_cell, "_kernel_kills", lambda: 10**9)
    cell.limited_by = limited_by
    assert cell.conclude(signal.SIGKILL, beyond_kernels_limit=of_group)["exceeded"] == exceeded

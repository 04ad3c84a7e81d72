"""What a cell starts ends with it, however it hides, and its answers are those that it had when it ended."""

from __future__ import annotations

import sys

import pytest

HONEST = ("honestnoise", "bias", "popular")
STATUS = {
    "daemon": "ok",
    "rewriter": "ok",
    "chain": "ok",
    "sessions": "ok",
    "crowd": "failed",
    "zombies": "failed",
    "siblings": "failed",
    "namespaces": "failed",
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody adopts orphans")
@pytest.mark.parametrize("executor", ["processes", "processes[fresh=true]"])
def test_cells_that_hide_processes_or_start_many_leave_none_and_disturb_nobody(environment, run, alone, executor):
    environment.install_attack("honest")
    environment.install_attack("cells")
    models = [*list(STATUS)[:3], *HONEST, *list(STATUS)[3:]]
    ran = run(models, "--jobs", "2", "--timeout", "60s", "--max-processes", "200", "--executor", executor)
    found = {name: ran.status[name] for name in STATUS}
    assert found == STATUS
    assert "more than the 200 processes allowed by --max-processes" in ran.records["crowd", ""]["reason"]
    for name in ("siblings", "namespaces"):
        assert "PermissionError" in ran.records[name, ""]["reason"]
    assert ran.figures(HONEST) == alone("-s", "holdout").figures(HONEST) != {}
    honest_threes = [value for (model, _, name), value in ran.figures(("rewriter", "daemon")).items() if name == "RMSE"]
    assert honest_threes[0] == honest_threes[1]
    assert ran.left == []
    assert ran.temporary == []

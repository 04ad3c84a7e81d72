"""Memory that a cell holds counts, wherever it lies; what nobody counts cannot be had."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

HONEST = ("honestnoise", "bias", "popular")
COUNTED = ("plain", "memfd", "shared", "children", "chain", "orphans", "headless", "beheaded")
WITH_RIGHTS = ("mapped", "forgotten", "cut")
"""Counted by control groups, and where the superuser runs cfbench: the system tells nobody else of these pages."""
BY_GROUPS = ("flight",)
REFUSED = {
    "sysv": "Operation not permitted",
    "posix": "Permission denied",
    "named": "Permission denied",
    "apart": "Invalid argument",
    **({} if Path("/dev/nvidiactl").exists() else {"flight": "Operation not permitted"}),
}
LIMIT = ("--memory-limit", "300MB", "--jobs", "2")
WITHOUT_GROUPS = """
import sys; 'cfbench.execution.watchdog' in sys.orig_argv and setattr(
__import__('cfbench.resources.cgroups', fromlist=['x']).ControlGroups, 'make', classmethod(lambda cls: None))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere private memory alone is counted")


@pytest.fixture(autouse=True)
def installed(environment):
    environment.install_attack("honest")
    environment.install_attack("memory")


@pytest.fixture(params=["", pytest.param("watchdog", marks=pytest.mark.slow)])
def limited_by(request, environment, alone):
    """What keeps the limits: whatever this machine has, then the watchdogs alone."""
    alone("-s", "holdout")  # other tests share it, so it has to be run while the machine is as it is
    pth = environment.packages / "zz_without_groups.pth"
    if request.param:
        pth.write_text(WITHOUT_GROUPS.strip().replace("\n", " "))
    yield request.param
    pth.unlink(missing_ok=True)


def test_memory_counts_wherever_a_cell_holds_it(run, alone, limited_by):
    honest = alone("-s", "holdout")
    kept_by = limited_by or honest.records["bias", ""]["provenance"]["protections"].split()[-1]
    groups = kept_by != "watchdog"
    hows = (*COUNTED, *(WITH_RIGHTS if groups or os.geteuid() == 0 else ()), *(BY_GROUPS if groups else ()))
    models = {f"hoards[how={how}]": how for how in hows}
    ran = run([HONEST[0], *models, *HONEST[1:]], *LIMIT, "--allow-network")  # without which no files can be sent
    ends = {how: (ran.status[model], ran.records[model, ""]["reason"]) for model, how in models.items()}
    assert {status for status, _ in ends.values()} == {"out-of-memory"}, ends
    assert all("more than the 286 MiB allowed" in reason for _, reason in ends.values()), ends
    assert {record["provenance"]["protections"].split()[-1] for record in ran.records.values()} == {kept_by}
    assert ran.code == 1
    assert ran.figures(HONEST) == honest.figures(HONEST) != {}
    assert (ran.left, ran.temporary) == ([], [])


def test_memory_by_name_is_refused_and_buffers_of_pipes_are_few(run, alone):
    models = {f"hoards[how={how}]": how for how in REFUSED}
    ran = run([HONEST[0], *models, "buffers", *HONEST[1:]], *LIMIT)
    assert ran.status == {**dict.fromkeys(models, "failed"), **dict.fromkeys(("buffers", *HONEST), "ok")}, ran.said
    reasons = {how: ran.records[model, ""]["reason"] for model, how in models.items()}
    assert all(REFUSED[how] in reason for how, reason in reasons.items()), reasons
    assert ran.figures(HONEST) == alone("-s", "holdout").figures(HONEST) != {}
    assert (ran.left, ran.temporary) == ([], [])


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no folder that is known to lie in memory")
def test_files_of_a_cell_count_where_they_lie_in_memory(run, limited_by):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        ran = run([HONEST[0], "hoards[how=files]", "bias"], *LIMIT, temporary=Path(folder))
    assert ran.status == {"honestnoise": "ok", "hoards[how=files]": "out-of-memory", "bias": "ok"}, ran.said
    assert (ran.left, ran.temporary) == ([], [])


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no shared memory by name")
def test_files_that_memory_is_shared_by_count_where_nothing_refuses_them(run):
    try:
        ran = run([HONEST[0], "hoards[how=named]", "hoards[how=posix]", "bias"], *LIMIT, lacking="landlock")
    finally:
        for file in Path("/dev/shm").glob("cfbench-hoard-*"):
            file.unlink()
    held = dict.fromkeys(("hoards[how=named]", "hoards[how=posix]"), "out-of-memory")
    assert ran.status == {"honestnoise": "ok", **held, "bias": "ok"}, ran.said
    assert (ran.left, ran.temporary) == ([], [])

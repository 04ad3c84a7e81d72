"""What a diagnosis sees of the machine, by hand-made machines."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cfbench.doctor.accelerator_findings import _gpus, _judged
from cfbench.doctor.control_group import allowed_bytes, allowed_cores
from cfbench.doctor.data_findings import data_findings
from cfbench.doctor.diagnosis import _guarded
from cfbench.doctor.disk_findings import disk_findings, memory_findings
from cfbench.doctor.doctor_options import Premises
from cfbench.doctor.import_probing import Probe
from cfbench.doctor.isolation_findings import isolation_findings
from cfbench.doctor.processor_findings import processor_findings, usable_cores
from cfbench.doctor.version_findings import _optional
from cfbench.registry.registry import Plugin

DATA = Plugin("dataset", "ml-100k", "m:M", "cfbench", "1")


@pytest.fixture
def premises(tmp_path) -> Premises:
    for name in ("temporary", "data"):
        (tmp_path / name).mkdir()
    return Premises(tmp_path / "runs", tmp_path / "temporary", tmp_path / "data", tmp_path / "cache", 5.0)


def test_a_named_data_folder_that_is_not_there_is_a_problem(premises):
    finding, *_ = data_findings(replace(premises, named_data=premises.runs / "nowhere"), [])
    assert (finding.level, "is not a folder" in finding.text) == ("problem", True)


def test_a_named_data_folder_that_is_empty_or_of_no_use_is_a_warning(premises):
    elsewhere = [Probe([DATA], whereabouts={DATA: "download (5 MB)"})]
    assert "is empty" in data_findings(premises, elsewhere)[0].text
    (premises.named_data / "holiday.jpg").touch()
    finding, _ = data_findings(premises, elsewhere)
    assert finding.level == "warning"
    assert "none of the known data sets" in finding.text


def test_a_named_data_folder_is_not_blamed_where_no_data_set_could_be_imported(premises):
    (finding,) = data_findings(premises, [Probe([DATA], endings={DATA: "had not ended after 20 s"})])
    assert finding.level == "warning"
    assert "no data set could be imported" in finding.text


def test_a_named_data_folder_that_data_come_from_is_well_and_every_data_set_is_told(premises):
    probe = Probe([DATA], whereabouts={DATA: str(premises.named_data / "ml-100k")})
    folder, data = data_findings(premises, [probe])
    assert (folder.level, data.level) == ("ok", "ok")
    assert data.text == f"ml-100k: {premises.named_data}/ml-100k"


def test_folders_come_from_options_then_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CFBENCH_DATA", "/from/environment")
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path))
    made = Premises.here(tmp_path, None, 1.0)
    assert (made.named_data, made.cache) == (Path("/from/environment"), tmp_path)
    assert made.storage.data_dir is None
    assert Premises.here(tmp_path, tmp_path, 1.0).storage.data_dir == tmp_path
    monkeypatch.delenv("CFBENCH_DATA")
    assert Premises.here(tmp_path, None, 1.0).named_data is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OMP_NUM_THREADS", "many", "is no number of threads"),
        ("MKL_NUM_THREADS", "0", "is no number of threads"),
        ("OPENBLAS_NUM_THREADS", "4096", "is more than the"),
        ("OMP_NUM_THREADS", "4096,2", "is more than the"),
    ],
)
def test_thread_variables_that_make_no_sense_here_are_warned_of(variable, value, said):
    (finding,) = [one for one in processor_findings({variable: value}) if variable in one.text]
    assert finding.level == "warning"
    assert said in finding.text
    assert finding.remedy.startswith(f"unset {variable}")


def test_thread_variables_that_make_sense_are_passed_over():
    told = processor_findings({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": ""})
    assert not any("NUM_THREADS" in finding.text for finding in told)


def test_a_busy_machine_is_warned_of(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    assert any("99.0 threads wanted a core" in finding.text for finding in processor_findings({}))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert [finding.level for finding in processor_findings({})] == ["ok"]


def test_a_containers_limits_are_read_in_both_forms(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    for folder in (new, old / "cpu", old / "memory"):
        folder.mkdir(parents=True)
    (new / "cpu.max").write_text("150000 100000\n")
    (new / "memory.max").write_text("1073741824\n")
    (old / "cpu/cpu.cfs_quota_us").write_text("50000\n")
    (old / "cpu/cpu.cfs_period_us").write_text("100000\n")
    (old / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert (allowed_cores(new), allowed_bytes(new)) == (1.5, 2**30)
    assert (allowed_cores(old), allowed_bytes(old)) == (0.5, None)


def test_where_there_is_no_limit_there_is_none(tmp_path):
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (allowed_cores(tmp_path), allowed_bytes(tmp_path)) == (None, None)
    assert (allowed_cores(tmp_path / "none"), allowed_bytes(tmp_path / "none")) == (None, None)
    assert usable_cores() > 0


def test_little_memory_is_warned_of_and_a_containers_limit_counts(monkeypatch):
    assert memory_findings()[0].topic == "memory"
    monkeypatch.setattr("cfbench.doctor.disk_findings.allowed_bytes", lambda: 2**30)
    (finding,) = memory_findings()
    assert finding.level == "warning"
    assert "of 1.0 GiB free; a container's limit" in finding.text


@pytest.fixture
def roomy(monkeypatch):
    """Room on every disk."""
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=2**40))


@pytest.mark.usefixtures("roomy")
def test_folders_that_can_be_made_and_written_to_are_well(premises):
    assert [finding.level for finding in disk_findings(premises)] == ["ok", "ok", "ok"]
    assert not premises.runs.exists()


def test_a_folder_that_is_a_file_cannot_be_written_to(premises):
    premises.runs.write_text("a file")
    runs, *_ = disk_findings(premises)
    assert (runs.level, "cannot be written to: Not a directory" in runs.text) == ("problem", True)
    assert runs.remedy == "--output FOLDER names another one"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that nobody may write to, /proc")
@pytest.mark.usefixtures("roomy")
def test_a_folder_that_nobody_may_write_to_is_a_problem_and_a_cache_a_warning(premises):
    sealed = replace(premises, runs=Path("/proc/1/runs"), cache=Path("/proc/1/cache"))
    assert [finding.level for finding in disk_findings(sealed)] == ["problem", "warning", "ok"]


def test_a_disk_that_is_nearly_full_is_a_problem(premises, monkeypatch):
    usage = type("Usage", (), {"free": 10 * 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)
    assert [finding.level for finding in disk_findings(premises)] == ["problem"] * 3
    usage.free = 500 * 2**20
    assert [finding.level for finding in disk_findings(premises)] == ["warning"] * 3


GPU = ["H100 (driver 550)"]
CPU_BUILD = {"version": "2.13.0+cpu", "cuda": None, "devices": []}
CUDA_BUILD = {"version": "2.13.0", "cuda": "13.0", "devices": []}


@pytest.mark.parametrize(
    ("gpus", "cuda", "level", "said"),
    [
        (GPU, CPU_BUILD, "warning", "is a CPU build"),
        (GPU, CUDA_BUILD, "warning", "with CUDA 13.0 cannot use it"),
        (GPU, {**CUDA_BUILD, "devices": ["H100"]}, "ok", "can use it"),
        (GPU, None, "ok", "H100 (driver 550); no plugin that could be imported uses torch"),
        ([], CPU_BUILD, "ok", "runs on the processor"),
        ([], None, "ok", "no NVIDIA GPU; no plugin that could be imported uses torch"),
    ],
)
def test_a_gpu_is_held_against_what_torch_can_use(gpus, cuda, level, said):
    finding = _judged(gpus, cuda)
    assert finding.level == level
    assert said in finding.text
    assert bool(finding.remedy) == (level == "warning")


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'NVIDIA H100, 550.54'", ["NVIDIA H100 (driver 550.54)"]),
        ("echo 'Failed to initialize NVML'; exit 9", []),
    ],
)
def test_gpus_are_those_that_the_driver_names(tmp_path, monkeypatch, script, found):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert _gpus() == found


def test_isolation_says_what_the_kernel_lacks(monkeypatch):
    monkeypatch.setattr("cfbench.doctor.isolation_findings.landlock_version", lambda: 0)
    (finding,) = isolation_findings()
    assert (finding.level, bool(finding.remedy)) == ("warning", True)


def test_a_check_that_stumbles_is_told_and_spoils_no_other():
    def stumble():
        raise ZeroDivisionError("on purpose")

    (finding,) = _guarded("memory", stumble)
    assert (finding.topic, finding.level) == ("memory", "warning")
    assert "ZeroDivisionError: on purpose" in finding.text


def test_extras_are_read_from_metadata():
    requirements = ["numpy>=2.0", "pyarrow>=17; extra == 'parquet'", 'a; extra == "two"', 'b>1; extra == "two"']
    assert _optional(requirements) == {"parquet": ["pyarrow"], "two": ["a", "b"]}

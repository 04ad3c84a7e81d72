"""What a diagnosis sees of the machine, by hand-made machines."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cfbench.doctor import checks
from cfbench.doctor.checks import (
    Finding,
    check_data,
    check_executors,
    check_extras,
    check_folders,
    check_gpus,
    check_isolation,
    check_memory,
    check_processors,
    check_versions,
    guarded,
    nvidia_gpus,
    usable_cores,
)
from cfbench.doctor.import_probe import DoctorOptions, ImportProbe
from cfbench.registry.registry import Plugin

DATA = Plugin("dataset", "ml-100k", "m:M", "cfbench", "1")


@pytest.fixture
def options(tmp_path) -> DoctorOptions:
    for name in ("temporary", "data"):
        (tmp_path / name).mkdir()
    return DoctorOptions(tmp_path / "runs", tmp_path / "temporary", tmp_path / "data", tmp_path / "cache", 5.0)


def test_a_named_data_folder_that_is_not_there_is_a_problem(options):
    finding, *_ = check_data(replace(options, named_data=options.runs / "nowhere"), [])
    assert (finding.level, "is not a folder" in finding.text) == ("problem", True)


def test_a_named_data_folder_that_is_empty_or_of_no_use_is_a_warning(options):
    elsewhere = [ImportProbe([DATA], whereabouts={DATA: "download (5 MB)"})]
    assert "is empty" in next(check_data(options, elsewhere)).text
    (options.named_data / "holiday.jpg").touch()
    finding, _ = check_data(options, elsewhere)
    assert finding.level == "warning"
    assert "none of the known data sets" in finding.text


def test_a_named_data_folder_is_not_blamed_where_no_data_set_could_be_imported(options):
    (finding,) = check_data(options, [ImportProbe([DATA], endings={DATA: "had not ended after 20 s"})])
    assert finding.level == "warning"
    assert "no data set could be imported" in finding.text


def test_a_named_data_folder_that_data_come_from_is_well_and_every_data_set_is_told(options):
    probe = ImportProbe([DATA], whereabouts={DATA: str(options.named_data / "ml-100k")})
    folder, data = check_data(options, [probe])
    assert (folder.level, data.level) == ("ok", "ok")
    assert data.text == f"ml-100k: {options.named_data}/ml-100k"


def test_folders_come_from_options_then_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CFBENCH_DATA", "/from/environment")
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path))
    made = DoctorOptions.here(tmp_path, None, 1.0)
    assert (made.named_data, made.cache) == (Path("/from/environment"), tmp_path)
    assert made.storage.data_dir is None
    assert DoctorOptions.here(tmp_path, tmp_path, 1.0).storage.data_dir == tmp_path
    monkeypatch.delenv("CFBENCH_DATA")
    assert DoctorOptions.here(tmp_path, None, 1.0).named_data is None


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
    (finding,) = [one for one in check_processors({variable: value}) if variable in one.text]
    assert finding.level == "warning"
    assert said in finding.text
    assert finding.remedy.startswith(f"unset {variable}")


def test_thread_variables_that_make_sense_are_passed_over():
    told = check_processors({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": ""})
    assert not any("NUM_THREADS" in finding.text for finding in told)


def test_a_busy_machine_is_warned_of(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    assert any("99.0 threads wanted a core" in finding.text for finding in check_processors({}))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert [finding.level for finding in check_processors({})] == ["ok"]


def test_a_containers_limit_of_processors_is_read_in_both_forms(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    (old / "cpu").mkdir(parents=True)
    new.mkdir()
    (new / "cpu.max").write_text("75000 100000\n")
    (old / "cpu/cpu.cfs_quota_us").write_text("50000\n")
    (old / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert (usable_cores(new), usable_cores(old)) == (0.75, 0.5)


@pytest.mark.parametrize("content", [None, "max 100000\n", "50000 0\n", "-1 100000\n", "\n", "Æ"])
def test_without_a_limit_of_processors_affinity_alone_counts(tmp_path, content):
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert usable_cores(tmp_path) == own > 0


def test_little_memory_is_warned_of_and_a_containers_limit_counts(monkeypatch):
    assert len(list(check_memory())) == 1
    monkeypatch.setattr(checks, "machine_bytes", lambda: 2**30)
    (finding,) = check_memory()
    assert finding.level == "warning"
    assert "of 1.0 GiB free; a container's limit" in finding.text


@pytest.fixture
def roomy(monkeypatch):
    """Room on every disk."""
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=2**40))


@pytest.mark.usefixtures("roomy")
def test_folders_that_can_be_made_and_written_to_are_well(options):
    assert [finding.level for finding in check_folders(options)] == ["ok", "ok", "ok"]
    assert not options.runs.exists()


def test_a_folder_that_is_a_file_cannot_be_written_to(options):
    options.runs.write_text("a file")
    runs, *_ = check_folders(options)
    assert (runs.level, "cannot be written to: Not a directory" in runs.text) == ("problem", True)
    assert runs.remedy == "--output FOLDER names another one"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that nobody may write to, /proc")
@pytest.mark.usefixtures("roomy")
def test_a_folder_that_nobody_may_write_to_is_a_problem_and_a_cache_a_warning(options):
    sealed = replace(options, runs=Path("/proc/1/runs"), cache=Path("/proc/1/cache"))
    assert [finding.level for finding in check_folders(sealed)] == ["problem", "warning", "ok"]


def test_a_disk_that_is_nearly_full_is_a_problem(options, monkeypatch):
    usage = type("Usage", (), {"free": 10 * 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)
    assert [finding.level for finding in check_folders(options)] == ["problem"] * 3
    usage.free = 500 * 2**20
    assert [finding.level for finding in check_folders(options)] == ["warning"] * 3


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
def test_a_gpu_is_held_against_what_torch_can_use(monkeypatch, gpus, cuda, level, said):
    monkeypatch.setattr(checks, "nvidia_gpus", lambda: gpus)
    (finding,) = check_gpus([ImportProbe([]), ImportProbe([], cuda=cuda)])
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
    assert nvidia_gpus() == found


def test_isolation_says_what_the_kernel_lacks(monkeypatch):
    monkeypatch.setattr("cfbench.doctor.checks.protections", lambda network: ("system-calls",))
    held, missing = check_isolation()
    assert (held.level, missing.level, bool(missing.remedy)) == ("ok", "warning", True)
    assert "system-calls" in held.text
    assert "writes, reads, network, signals" in missing.text


def test_a_check_that_fails_is_reported_and_keeps_what_it_found():
    def fails():
        yield Finding("ok", "first")
        raise ZeroDivisionError("on purpose")

    first, failure = guarded("memory", fails())
    assert (first.topic, first.text) == ("memory", "first")
    assert (failure.topic, failure.level) == ("memory", "warning")
    assert "ZeroDivisionError: on purpose" in failure.text


def test_extras_are_read_from_metadata(monkeypatch):
    requirements = ["numpy>=2.0", "pyarrow>=17; extra == 'parquet'", 'a; extra == "two"', 'b>1; extra == "two"']
    versions = {"a": "1.0", "b": "2.0"}
    monkeypatch.setattr(checks.metadata, "requires", lambda _distribution: requirements)
    monkeypatch.setattr(checks, "installed_version", versions.get)
    missing, installed = check_extras()
    assert (missing.text, missing.remedy) == ("parquet: not installed", "pip install 'cfbench[parquet]' if wanted")
    assert (installed.text, installed.remedy) == ("two: a 1.0, b 2.0", "")


def test_a_requirement_of_cfbench_that_is_not_met_is_a_problem(monkeypatch):
    monkeypatch.setattr(checks, "missing_packages", lambda _distribution: ["numpy>=9 (found 2.0)"])
    problem = list(check_versions())[-1]
    assert (problem.level, problem.text) == ("problem", "cfbench needs numpy>=9 (found 2.0)")


def test_an_installation_needs_an_executor():
    assert [one.level for one in check_executors([DATA])] == ["problem"]
    assert [one.text for one in check_executors([replace(DATA, kind="executor", name="e")])] == ["e"]

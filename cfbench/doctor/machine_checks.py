"""Checks of the machine: processors, memory, disks, GPUs, and the confinement of processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from cfbench.doctor.doctor_options import DoctorOptions
from cfbench.doctor.finding import Finding, Level
from cfbench.doctor.import_probe import ImportProbe
from cfbench.execution.sandbox import landlock_version
from cfbench.resources.memory import machine_bytes

_GIB = 2**30
_LITTLE_MEMORY = 2 * _GIB
_LITTLE_DISK, _NO_DISK = _GIB, _GIB // 10
_GPU_QUERY_SECONDS = 5.0
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def check_processors(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Report usable cores, thread variables that make no sense here, and other load on the machine."""
    cores, usable = os.cpu_count() or 1, usable_cores()
    why = "" if usable >= cores else "; the rest is kept from this process by affinity or a container's limit"
    yield Finding("ok", f"{usable:g} of {cores} cores usable; --jobs times --threads should not exceed that{why}")
    for variable in _THREAD_VARIABLES:
        value = environment.get(variable, "").strip()
        counts = value.split(",")  # OpenMP takes one for each level of nesting
        if value and not all(count.strip().isdecimal() and int(count) > 0 for count in counts):
            yield Finding("warning", f"{variable}={value} is no number of threads", f"unset {variable}")
        elif value and int(counts[0]) > usable:
            text = f"{variable}={value} is more than the {usable:g} cores usable here"
            yield Finding("warning", text, f"unset {variable}; cells get --threads threads whatever it says")
    try:
        load = os.getloadavg()[0]
    except OSError:  # not every system has it
        return
    if load >= usable + 0.5:
        text = f"{load:.1f} threads wanted a core in the last minute, there are {usable:g}: times will be too long"
        yield Finding(
            "warning", text, "wait for other work to end where seconds matter; other metrics are not affected"
        )


def usable_cores(control_group: Path = _CONTROL_GROUP) -> float:
    """Return how many cores this process may use, by affinity and by the time that its control group allows."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    # The second version has one file with "QUOTA PERIOD" or "max PERIOD", the first two, with -1 for no limit.
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((control_group / name).read_text(encoding="ascii") for name in names).split()
            return min(cores, int(quota) / int(period)) if int(quota) >= 0 else cores
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return cores


def check_memory() -> Iterator[Finding]:
    """Report how much memory there is, free, and allowed."""
    memory = psutil.virtual_memory()
    total = min(memory.total, machine_bytes())
    free = min(memory.available, total)
    text = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    text += f"; a container's limit, the machine has {memory.total / _GIB:.1f} GiB" if total < memory.total else ""
    if free >= _LITTLE_MEMORY:
        yield Finding("ok", text)
    else:
        yield Finding("warning", text, "end processes that hold memory, run one job, or set --memory-limit")


def check_folders(options: DoctorOptions) -> Iterator[Finding]:
    """Report of each folder that runs write to whether they can, and how much room there is."""
    folders: tuple[tuple[str, Path, str, Level], ...] = (
        ("runs", options.runs, "--output FOLDER", "problem"),
        ("cache of data sets", options.cache, "CFBENCH_CACHE=FOLDER", "warning"),
        ("temporary files", options.temporary, "TMPDIR=FOLDER", "problem"),
    )
    for name, folder, setting, level in folders:
        # A folder that does not exist would be made in the nearest one above it that does.
        place = next((path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()), folder)
        try:
            with tempfile.TemporaryFile(dir=place):
                free = shutil.disk_usage(place).free
        except OSError as error:
            text = f"{name}: {folder} cannot be written to: {error.strerror or error}"
            yield Finding(level, text, f"{setting} names another one")
            continue
        text = f"{name}: {free / _GIB:,.1f} GiB free for {folder}"
        if free >= _LITTLE_DISK:
            yield Finding("ok", text)
        else:
            yield Finding("warning" if free >= _NO_DISK else "problem", text, f"make room, or {setting}")


def check_isolation() -> Iterator[Finding]:
    """Report what the kernel offers to confine a cell's process."""
    version = landlock_version()
    if sys.platform != "linux":
        text = f"{sys.platform}: cells are processes of their own, but cannot be kept from writing to results or data"
        yield Finding("warning", text, "run plugins that you do not trust on Linux")
    elif version == 0:
        text = "no Landlock: cells are processes of their own, but could write to results or data"
        yield Finding("warning", text, "Linux 5.13 or later with landlock among its lsm= modules")
    else:
        yield Finding("ok", f"Landlock {version}: cells cannot write to results or data")


def check_gpus(probes: Sequence[ImportProbe]) -> Iterator[Finding]:
    """Compare the GPUs that the driver reports with those that torch can use.

    torch itself was asked in a process that imported a plugin, never in this one.
    """
    gpus = ", ".join(nvidia_gpus())
    cuda = next((probe.cuda for probe in probes if probe.cuda is not None), None)
    if cuda is None:
        yield Finding("ok", f"{gpus or 'no NVIDIA GPU'}; no plugin that could be imported uses torch")
        return
    build = f"torch {cuda['version']}"
    if cuda["devices"]:
        yield Finding("ok", f"{', '.join(cuda['devices'])}; {build} with CUDA {cuda['cuda']} can use it")
    elif not gpus:
        yield Finding("ok", f"no NVIDIA GPU; {build} runs on the processor")
    elif cuda["cuda"] is None:
        remedy = "pip install torch from the index of its CUDA builds, https://pytorch.org/get-started/locally/"
        yield Finding("warning", f"{gpus}, but {build} is a CPU build and cannot use it", remedy)
    else:
        remedy = "a newer driver, or a torch built for an older CUDA; CUDA_VISIBLE_DEVICES may also hide it"
        yield Finding("warning", f"{gpus}, but {build} with CUDA {cuda['cuda']} cannot use it", remedy)


def nvidia_gpus() -> list[str]:
    """Return the names of NVIDIA's GPUs with their drivers; none where there is no driver, or it reports an error."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own program, without any text from elsewhere
            [program, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_GPU_QUERY_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = [line.partition(",") for line in done.stdout.splitlines() if line.strip()]
    return [f"{name.strip()} (driver {driver.strip()})" for name, _, driver in gpus]

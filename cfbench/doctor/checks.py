"""Checks of the installation and its machine, none of which can break the others.

Each check yields its findings. :func:`diagnose` runs all of them, in the order of a reader's interest.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeAlias

import psutil
from packaging.requirements import Requirement

from cfbench.doctor.import_probe import DoctorOptions, ImportProbe, probe_imports
from cfbench.execution.sandbox import PROTECTIONS, landlock_version, protections
from cfbench.execution.supervisor import THREAD_VARIABLES
from cfbench.registry.code_identity import Installation, Remark
from cfbench.registry.look_alikes import normalised
from cfbench.registry.registry import KINDS, Plugin, Registry, installed_version, missing_packages
from cfbench.resources.cost import machine_bytes

Level: TypeAlias = Literal["ok", "warning", "problem"]

_LIBRARIES = ("numpy", "scipy", "pandas")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<name>[^'"]+)['"]""")
_OTHER_NUMPY = ("numpy.dtype size changed", "_ARRAY_API not found", "compiled using NumPy 1.x")
_GIB = 2**30
_LITTLE_MEMORY = 2 * _GIB
_LITTLE_DISK, _NO_DISK = _GIB, _GIB // 10
_NAMED = 3  # paths in one remedy
_GPU_QUERY_SECONDS = 5.0
_CONTROL_GROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        level: ``ok``; ``warning``: runs work, but not as well as they might; ``problem``: something does not work.
        text: what was found.
        remedy: how to repair or change it; empty where nothing is to be done.
        topic: the check, e.g. ``"plugins"``.
    """

    level: Level
    text: str
    remedy: str = ""
    topic: str = ""


def diagnose(options: DoctorOptions) -> Iterator[Finding]:
    """Run all checks; findings come in the order of a reader's interest."""
    registry = Registry.discover()
    plugins = [plugin for kind in KINDS for plugin in registry.plugins(kind)]
    usable = [plugin for plugin in plugins if not plugin.problem]
    probes = probe_imports(list(by_distribution(usable).values()), options)
    # Checks are generators: none has begun before `guarded` takes its findings.
    checks = {
        "versions": check_versions(),
        "plugins": check_plugins(plugins, probes),
        "names": check_names(registry),
        "executors": check_executors(usable),
        "data": check_data(options, probes),
        "processors": check_processors(os.environ),
        "memory": check_memory(),
        "disk": check_folders(options),
        "CUDA": check_gpus(probes),
        "isolation": check_isolation(),
        "extras": check_extras(),
    }
    for topic, findings in checks.items():
        yield from guarded(topic, findings)


def guarded(topic: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings of a check under its topic; an exception in the check becomes a warning."""
    try:
        for finding in findings:
            yield replace(finding, topic=topic)
    except Exception as error:  # noqa: BLE001 - a machine may be odd in any way; the other checks must go on
        yield Finding("warning", f"could not be checked: {type(error).__name__}: {error}", "please report it", topic)


def check_versions() -> Iterator[Finding]:
    """Report versions, and which of cfbench's own requirements are not met."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    code = Installation().code("cfbench")
    origin = f"{code.origin}, sha256 {code.digest[:12]}" if code else "not installed"
    yield Finding(
        "ok", f"cfbench {metadata.version('cfbench')} ({origin}), Python {platform.python_version()}, {system}"
    )
    yield Finding("ok", ", ".join(f"{name} {installed_version(name) or 'missing'}" for name in _LIBRARIES))
    if missing := missing_packages("cfbench"):
        yield Finding("problem", f"cfbench needs {', '.join(missing)}", "pip install -U cfbench")


def check_extras() -> Iterator[Finding]:
    """Report which of cfbench's optional extras are installed."""
    extras: dict[str, list[str]] = {}
    for text in metadata.requires("cfbench") or ():
        if extra := _EXTRA.search(text):
            extras.setdefault(extra["name"], []).append(Requirement(text).name)
    for name, packages in extras.items():
        versions = {package: installed_version(package) for package in packages}
        if all(versions.values()):
            yield Finding("ok", f"{name}: {', '.join(f'{package} {found}' for package, found in versions.items())}")
        else:
            yield Finding("ok", f"{name}: not installed", f"pip install 'cfbench[{name}]' if wanted")


def by_distribution(plugins: Sequence[Plugin]) -> Mapping[str, list[Plugin]]:
    """Group plugins by the distribution that registers them."""
    groups: dict[str, list[Plugin]] = {}
    for plugin in plugins:
        groups.setdefault(plugin.distribution, []).append(plugin)
    return groups


def check_plugins(plugins: Sequence[Plugin], probes: Sequence[ImportProbe]) -> Iterator[Finding]:
    """Report what is wrong with each distribution's plugins, or that nothing is."""
    probe_of = {probe.plugins[0].distribution: probe for probe in probes}
    for distribution, own in by_distribution(plugins).items():
        name, probe = f"{distribution} {own[0].version}", probe_of.get(distribution)
        if missing := missing_packages(distribution):
            wanted = " ".join(f"'{requirement.split(' (')[0]}'" for requirement in missing)
            yield Finding("problem", f"{name} needs {', '.join(missing)}", f"pip install {wanted}")
        elif problems := list(_problems(name, own, probe)):
            yield from problems
        else:
            kinds = Counter(plugin.kind for plugin in own).items()
            counts = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds)
            seconds = f"{probe.seconds:.1f} s" if probe else "no time"
            copy = own[0].installation.found(distribution)
            origin = f"; {copy.origin}" if copy else ""
            yield Finding("ok", f"{name}: {counts}, imported in {seconds}{origin}")


def check_names(registry: Registry) -> Iterator[Finding]:
    """Report what may not be what it seems: look-alikes, second copies, changed, foreign or hidden files."""
    found: dict[Remark, Plugin] = {}
    for kind in KINDS:
        for plugin in registry.plugins(kind):
            identity = plugin.identity
            found |= dict.fromkeys((*registry.remarks(plugin), *(identity.remarks if identity else ())), plugin)
    for (code, text), plugin in found.items():
        copies = plugin.installation.copies.get(normalised(plugin.distribution), [])
        places = " or ".join(str(copy.info) for copy in copies)
        remedy = {
            "look-alike": f"pip uninstall {plugin.distribution}, unless you know whose it is",
            "duplicate-distribution": f"remove all but one of {places}",
            "hidden-code": f"remove or rename {' and '.join(_hiding(plugin))}, or run in another folder",
        }.get(code, f"pip install --force-reinstall {plugin.distribution}")
        yield Finding("warning", text, remedy)
    alike = dict.fromkeys(text for kind in KINDS for text in registry.likenesses(kind))
    for text in alike:
        yield Finding("warning", text, "make sure that the one you use is the one you mean")
    if not (found or alike):
        yield Finding("ok", "every plugin is the only one of its name, and none looks like another")


def _hiding(plugin: Plugin) -> list[str]:
    """Return a few paths of files that hide modules of a plugin, of its libraries or of Python."""
    paths = plugin.identity.hiding if plugin.identity else []
    return [*paths[:_NAMED], *([f"{len(paths) - _NAMED} more"] if len(paths) > _NAMED else [])]


def _problems(name: str, plugins: Sequence[Plugin], probe: ImportProbe | None) -> Iterator[Finding]:
    """Yield the problems of one distribution: names that clash, classes not found, failed imports."""
    distribution = plugins[0].distribution
    reinstall = f"pip install --force-reinstall {distribution}, or tell its authors"
    rename = "pip uninstall one of them; their authors can rename their entry points"
    import_another = "run cfbench doctor in another folder; what hides a plugin's own module must go"
    upgrade = f"a library of {distribution} was built for another numpy: install its latest version"
    for plugin in plugins:
        if plugin.problem:
            text = f"{plugin.kind} {plugin.name!r} of {name}: {plugin.problem}"
            elsewhere = "which is no file of" in plugin.problem
            yield Finding("problem", text, rename if plugin.clash else import_another if elsewhere else reinstall)
    if probe is None:
        return
    for problem in probe.problems.values():
        remedy = upgrade if any(sign in problem for sign in _OTHER_NUMPY) else reinstall
        yield Finding("problem", f"{name}: {problem}", remedy)
    for plugin, ending in probe.endings.items():
        remedy = f"python -X importtime -c 'import {plugin.value.partition(':')[0]}' shows where"
        yield Finding("problem", f"{name}: importing {plugin.kind} {plugin.name!r} {ending}", remedy)
    if probe.n_untried:
        remedy = "repair what took the time, or allow more by --time-limit SECONDS, then run cfbench doctor again"
        yield Finding("problem", f"{name}: no time was left to import {probe.n_untried} more", remedy)


def check_executors(usable: Sequence[Plugin]) -> Iterator[Finding]:
    """Report the executors, of which there must be one."""
    if names := sorted(plugin.name for plugin in usable if plugin.kind == "executor"):
        yield Finding("ok", ", ".join(names))
    else:
        yield Finding("problem", "none is registered", "pip install --force-reinstall cfbench")


def check_data(options: DoctorOptions, probes: Sequence[ImportProbe]) -> Iterator[Finding]:
    """Report whether the named folder holds data sets, and where every data set would come from."""
    whereabouts = {plugin.name: where for probe in probes for plugin, where in probe.whereabouts.items()}
    folder = options.named_data
    if folder is None:
        remedy = "CFBENCH_DATA=FOLDER names a folder with data sets that you have, where that is wanted"
        yield Finding("ok", "no folder with data sets is named", remedy)
    elif not folder.is_dir():
        yield Finding("problem", f"{folder}, named for data, is not a folder", "create it or name another one")
    elif any(where.startswith(str(folder)) for where in whereabouts.values()):
        yield Finding("ok", f"data sets are taken from {folder}")
    elif not whereabouts:
        text = f"no data set could be imported that would say what is in {folder}, named for data"
        yield Finding("warning", text, "repair the plugins first, then run cfbench doctor again")
    else:
        content = "holds none of the known data sets" if any(folder.iterdir()) else "is empty"
        remedy = "put each data set into a folder of its own there, named as below, or leave the folder unnamed"
        yield Finding("warning", f"{folder}, named for data, {content}", remedy)
    yield from (Finding("ok", f"{name}: {where}") for name, where in sorted(whereabouts.items()))


def check_processors(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Report usable cores, thread variables that make no sense here, and other load on the machine."""
    cores, usable = os.cpu_count() or 1, usable_cores()
    why = "" if usable >= cores else "; the rest is kept from this process by affinity or a container's limit"
    yield Finding("ok", f"{usable:g} of {cores} cores usable; --jobs times --threads should not exceed that{why}")
    for variable in THREAD_VARIABLES:
        value = environment.get(variable, "").strip()
        counts = value.split(",")  # OpenMP takes one for each level of nesting
        if value and not all(count.strip().isdecimal() and int(count) > 0 for count in counts):
            yield Finding("warning", f"{variable}={value} is no number of threads", f"unset {variable}")
        elif value and int(counts[0]) > usable:
            text = f"{variable}={value} is more than the {usable:g} cores usable here"
            yield Finding("warning", text, f"unset {variable}; cells get --threads threads whatever it says")
    with suppress(OSError):  # not every system knows its load
        load = os.getloadavg()[0]
        if load >= usable + 0.5:
            text = f"{load:.1f} threads wanted a core in the last minute, there are {usable:g}: times will be too long"
            remedy = "wait for other work to end where seconds matter; other metrics are not affected"
            yield Finding("warning", text, remedy)


def usable_cores(control_group: Path = _CONTROL_GROUP) -> float:
    """Return how many cores this process may use, by affinity and by the time that its control group allows."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    # The second version has one file with "QUOTA PERIOD" or "max PERIOD", the first two, with -1 for no limit.
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = " ".join((control_group / name).read_text(encoding="ascii") for name in names).split()
            return min(cores, int(quota) / int(period)) if int(quota) >= 0 else cores
    return cores


def check_memory() -> Iterator[Finding]:
    """Report how much memory there is, free, and allowed."""
    memory = psutil.virtual_memory()
    total = min(memory.total, machine_bytes())
    free = min(memory.available, total)
    text = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
    text += f"; a container's limit, the machine has {memory.total / _GIB:.1f} GiB" if total < memory.total else ""
    remedy = "end processes that hold memory, run one job, or set --memory-limit"
    yield Finding("warning", text, remedy) if free < _LITTLE_MEMORY else Finding("ok", text)


def check_folders(options: DoctorOptions) -> Iterator[Finding]:
    """Report of each folder that runs write to whether they can, and how much room there is."""
    folders: tuple[tuple[str, Path, str, Level], ...] = (
        ("runs", options.runs, "--output FOLDER", "problem"),
        ("cache of data sets", options.cache, "CFBENCH_CACHE=FOLDER", "warning"),
        ("temporary files", options.temporary, "TMPDIR=FOLDER", "problem"),
    )
    for name, folder, setting, level in folders:
        # A folder that does not exist would be made in the nearest one above it that does.
        existing = next((path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()), folder)
        try:
            with tempfile.TemporaryFile(dir=existing):
                free = shutil.disk_usage(existing).free
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
    """Report what the kernel keeps a cell's process from, as a process finds out that is confined like one."""
    held = protections(network=False)
    missing = [name for name in PROTECTIONS if name not in held]
    if held:
        yield Finding("ok", f"Landlock {landlock_version()}; cells are confined in: {', '.join(held)}")
    if missing:
        text = f"cells are processes of their own, but not confined in: {', '.join(missing)}"
        remedy = "Linux 6.12 or later with landlock among its lsm= modules, on x86_64 or aarch64"
        yield Finding("warning", text, f"{remedy}; run plugins that you do not trust elsewhere")


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
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own program, without any text from elsewhere
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_GPU_QUERY_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = [line.partition(",") for line in done.stdout.splitlines() if line.strip()]
    return [f"{name.strip()} (driver {driver.strip()})" for name, _, driver in gpus]

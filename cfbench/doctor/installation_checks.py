"""Checks of the installation: versions, plugins, executors, data sets and optional extras."""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata

from packaging.requirements import Requirement

from cfbench.doctor.doctor_options import DoctorOptions
from cfbench.doctor.finding import Finding
from cfbench.doctor.import_probe import ImportProbe
from cfbench.registry.registry import Plugin, installed_version, missing_packages

_LIBRARIES = ("numpy", "scipy", "pandas")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<name>[^'"]+)['"]""")
_OTHER_NUMPY = ("numpy.dtype size changed", "_ARRAY_API not found", "compiled using NumPy 1.x")


def check_versions() -> Iterator[Finding]:
    """Report versions, and which of cfbench's own requirements are not met."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield Finding("ok", f"cfbench {metadata.version('cfbench')}, Python {platform.python_version()}, {system}")
    yield Finding("ok", ", ".join(f"{name} {installed_version(name) or 'missing'}" for name in _LIBRARIES))
    missing = missing_packages("cfbench")
    if missing:
        yield Finding("problem", f"cfbench needs {', '.join(missing)}", "pip install -U cfbench")


def check_extras() -> Iterator[Finding]:
    """Report which of cfbench's optional extras are installed."""
    extras: dict[str, list[str]] = {}
    for text in metadata.requires("cfbench") or ():
        extra = _EXTRA.search(text)
        if extra:
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
        name, missing = f"{distribution} {own[0].version}", missing_packages(distribution)
        problems = _problems(name, own, probe_of.get(distribution))
        if missing:
            wanted = " ".join(f"'{requirement.split(' (')[0]}'" for requirement in missing)
            yield Finding("problem", f"{name} needs {', '.join(missing)}", f"pip install {wanted}")
        elif problems:
            yield from (Finding("problem", text, remedy) for text, remedy in problems)
        else:
            kinds = Counter(plugin.kind for plugin in own).items()
            counts = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds)
            seconds = f"{probe_of[distribution].seconds:.1f} s" if distribution in probe_of else "no time"
            yield Finding("ok", f"{name}: {counts}, imported in {seconds}")


def _problems(name: str, plugins: Sequence[Plugin], probe: ImportProbe | None) -> list[tuple[str, str]]:
    """Return problems of one distribution with their remedies: names that clash, classes not found, failed imports."""
    distribution = plugins[0].distribution
    reinstall = f"pip install --force-reinstall {distribution}, or tell its authors"
    rename = "pip uninstall one of them; their authors can rename their entry points"
    problems = [
        (f"{plugin.kind} {plugin.name!r} of {name}: {plugin.problem}", rename if plugin.clash else reinstall)
        for plugin in plugins
        if plugin.problem
    ]
    if probe is None:
        return problems
    for problem in probe.problems.values():
        upgrade = f"a library of {distribution} was built for another numpy: install its latest version"
        problems.append((f"{name}: {problem}", upgrade if any(sign in problem for sign in _OTHER_NUMPY) else reinstall))
    for plugin, ending in probe.endings.items():
        remedy = f"python -X importtime -c 'import {plugin.value.partition(':')[0]}' shows where"
        problems.append((f"{name}: importing {plugin.kind} {plugin.name!r} {ending}", remedy))
    if probe.n_untried:
        remedy = "repair what took the time, or allow more by --time-limit SECONDS, then run cfbench doctor again"
        problems.append((f"{name}: no time was left to import {probe.n_untried} more", remedy))
    return problems


def check_executors(usable: Sequence[Plugin]) -> Iterator[Finding]:
    """Report the executors, of which there must be one."""
    names = sorted(plugin.name for plugin in usable if plugin.kind == "executor")
    if names:
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

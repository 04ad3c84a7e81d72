"""The health of every plugin distribution: requirements, names, and whether its classes can really be imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cfbench.doctor.finding import Finding
from cfbench.doctor.import_probing import Probe
from cfbench.registry.registry import Plugin, missing_packages

_TOPIC = "plugins"
_UNCLASH = "pip uninstall one of them; their authors can rename their entry points"
_MEND_FIRST = "mend what held them up, or allow more by --time-limit SECONDS, then run cfbench doctor again"
_OTHER_NUMPY = ("numpy.dtype size changed", "_ARRAY_API not found", "compiled using NumPy 1.x")


def by_distribution(plugins: Sequence[Plugin]) -> Mapping[str, list[Plugin]]:
    """Group plugins by who registers them."""
    groups: dict[str, list[Plugin]] = {}
    for plugin in plugins:
        groups.setdefault(plugin.distribution, []).append(plugin)
    return groups


def plugin_findings(plugins: Sequence[Plugin], probes: Sequence[Probe]) -> list[Finding]:
    """Tell what is wrong with each distribution's plugins, or that nothing is."""
    tried = {probe.plugins[0].distribution: probe for probe in probes}
    return [
        finding
        for distribution, mine in by_distribution(plugins).items()
        for finding in _of_distribution(distribution, mine, tried.get(distribution))
    ]


def _of_distribution(distribution: str, plugins: Sequence[Plugin], probe: Probe | None) -> Iterator[Finding]:
    named = f"{distribution} {plugins[0].version}"
    missing = missing_packages(distribution)
    if missing:
        wanted = " ".join(f"'{requirement.split(' (')[0]}'" for requirement in missing)
        yield Finding(_TOPIC, "problem", f"{named} needs {', '.join(missing)}", f"pip install {wanted}")
        return
    found = [*_declared(named, plugins), *(_imported(named, probe) if probe is not None else ())]
    yield from found or [Finding(_TOPIC, "ok", f"{named}: {_counted(plugins)}, imported in {_seconds(probe)}")]


def _declared(named: str, plugins: Sequence[Plugin]) -> Iterator[Finding]:
    """Tell what shows without importing: clashes of names, classes that are not there."""
    for plugin in plugins:
        if plugin.clash:
            yield Finding(_TOPIC, "problem", f"{plugin.kind} {plugin.name!r} of {named}: {plugin.clash}", _UNCLASH)
        elif plugin.problem:
            told = f"{plugin.kind} {plugin.name!r} of {named}: {plugin.problem}"
            yield Finding(_TOPIC, "problem", told, _install_again(plugin.distribution))


def _imported(named: str, probe: Probe) -> Iterator[Finding]:
    """Tell what showed when the classes were imported."""
    for plugin, problem in probe.problems.items():
        yield Finding(_TOPIC, "problem", f"{named}: {problem}", _remedy(problem, plugin))
    for plugin, ending in probe.endings.items():
        told = f"{named}: importing {plugin.kind} {plugin.name!r} {ending}"
        yield Finding(_TOPIC, "problem", told, f"python -X importtime -c 'import {_module(plugin)}' shows where")
    if probe.untried:
        yield Finding(_TOPIC, "problem", f"{named}: no time was left to import {probe.untried} more", _MEND_FIRST)


def _remedy(problem: str, plugin: Plugin) -> str:
    if any(sign in problem for sign in _OTHER_NUMPY):
        return f"a library of {plugin.distribution} was built for another numpy: install its latest version"
    return _install_again(plugin.distribution)


def _install_again(distribution: str) -> str:
    return f"pip install --force-reinstall {distribution}, or tell its authors"


def _module(plugin: Plugin) -> str:
    return plugin.value.partition(":")[0]


def _counted(plugins: Sequence[Plugin]) -> str:
    """Count plugins by kind: ``"2 models, 1 metric"``."""
    kinds = Counter(plugin.kind for plugin in plugins)
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds.items())


def _seconds(probe: Probe | None) -> str:
    return "no time" if probe is None else f"{probe.seconds:.1f} s"

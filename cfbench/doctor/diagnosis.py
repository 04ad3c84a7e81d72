"""The whole diagnosis: every check, none of which can spoil the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from cfbench.doctor.accelerator_findings import accelerator_findings
from cfbench.doctor.data_findings import data_findings
from cfbench.doctor.disk_findings import disk_findings, memory_findings
from cfbench.doctor.doctor_options import Premises
from cfbench.doctor.finding import Finding
from cfbench.doctor.import_probing import probed
from cfbench.doctor.isolation_findings import isolation_findings
from cfbench.doctor.plugin_findings import by_distribution, plugin_findings
from cfbench.doctor.processor_findings import processor_findings
from cfbench.doctor.version_findings import extras, versions
from cfbench.registry.registry import KINDS, Plugin, Registry


def diagnose(premises: Premises) -> Iterator[Finding]:
    """Look at everything; findings come in the order of a reader's interest."""
    registry = Registry.discover()
    plugins = [plugin for kind in KINDS for plugin in registry.plugins(kind)]
    usable = [plugin for plugin in plugins if not plugin.problem]
    probes = probed(list(by_distribution(usable).values()), premises)
    checks: Sequence[tuple[str, Callable[[], Sequence[Finding]]]] = (
        ("versions", versions),
        ("plugins", lambda: plugin_findings(plugins, probes)),
        ("executors", lambda: _executors(usable)),
        ("data", lambda: data_findings(premises, probes)),
        ("processors", lambda: processor_findings(os.environ)),
        ("memory", memory_findings),
        ("disk", lambda: disk_findings(premises)),
        ("CUDA", lambda: accelerator_findings(probes)),
        ("isolation", isolation_findings),
        ("extras", extras),
    )
    for topic, check in checks:
        yield from _guarded(topic, check)


def _guarded(topic: str, check: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a machine may be odd in any way; the other checks must go on
        told = f"could not be looked at: {type(error).__name__}: {error}"
        return [Finding(topic, "warning", told, "please report it")]


def _executors(usable: Sequence[Plugin]) -> list[Finding]:
    """Tell what can carry cells out."""
    names = sorted(plugin.name for plugin in usable if plugin.kind == "executor")
    if names:
        return [Finding("executors", "ok", ", ".join(names))]
    return [Finding("executors", "problem", "none is registered", "pip install --force-reinstall cfbench")]

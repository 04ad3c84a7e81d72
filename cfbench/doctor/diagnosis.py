"""Diagnosis of the installation and its machine: every check, none of which can break the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from cfbench.doctor import installation_checks as installation
from cfbench.doctor import machine_checks as machine
from cfbench.doctor.doctor_options import DoctorOptions
from cfbench.doctor.finding import Finding
from cfbench.doctor.import_probe import probe_imports
from cfbench.registry.registry import KINDS, Registry


def diagnose(options: DoctorOptions) -> Iterator[Finding]:
    """Run all checks; findings come in the order of a reader's interest."""
    registry = Registry.discover()
    plugins = [plugin for kind in KINDS for plugin in registry.plugins(kind)]
    usable = [plugin for plugin in plugins if not plugin.problem]
    probes = probe_imports(list(installation.by_distribution(usable).values()), options)
    # Checks are generators: none has begun before `guarded` takes its findings.
    checks = {
        "versions": installation.check_versions(),
        "plugins": installation.check_plugins(plugins, probes),
        "executors": installation.check_executors(usable),
        "data": installation.check_data(options, probes),
        "processors": machine.check_processors(os.environ),
        "memory": machine.check_memory(),
        "disk": machine.check_folders(options),
        "CUDA": machine.check_gpus(probes),
        "isolation": machine.check_isolation(),
        "extras": installation.check_extras(),
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

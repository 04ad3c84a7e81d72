"""What is installed: cfbench, Python and the libraries that figures depend on."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from importlib import metadata

from packaging.requirements import Requirement

from cfbench.doctor.finding import Finding
from cfbench.registry.registry import missing_packages

_TOPIC = "versions"
_LIBRARIES = ("numpy", "scipy", "pandas")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<name>[^'"]+)['"]""")


def versions() -> list[Finding]:
    """Tell versions, and which of cfbench's own requirements are not met."""
    libraries = ", ".join(f"{name} {_version(name) or 'missing'}" for name in _LIBRARIES)
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    found = [
        Finding(_TOPIC, "ok", f"cfbench {metadata.version('cfbench')}, Python {platform.python_version()}, {system}"),
        Finding(_TOPIC, "ok", libraries),
    ]
    missing = missing_packages("cfbench")
    if missing:
        found.append(Finding(_TOPIC, "problem", f"cfbench needs {', '.join(missing)}", "pip install -U cfbench"))
    return found


def extras() -> list[Finding]:
    """Tell which of cfbench's optional extras are installed."""
    found = []
    for name, packages in _optional(metadata.requires("cfbench") or ()).items():
        have = {package: _version(package) for package in packages}
        if all(have.values()):
            found.append(Finding("extras", "ok", f"{name}: {', '.join(f'{one} {have[one]}' for one in packages)}"))
        else:
            found.append(Finding("extras", "ok", f"{name}: not installed", f"pip install 'cfbench[{name}]' if wanted"))
    return found


def _optional(requirements: Iterable[str]) -> Mapping[str, list[str]]:
    """Group the packages of requirements that belong to an extra by its name."""
    groups: dict[str, list[str]] = {}
    for text in requirements:
        extra = _EXTRA.search(text)
        if extra:
            groups.setdefault(extra["name"], []).append(Requirement(text).name)
    return groups


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None

"""Suites that installed distributions ship, found by their entry points.

An entry point of the group ``cfbench.suites`` has the name of the suite and names a package; the suite is the file
``<name>.toml`` in that package's folder. Nothing is imported::

    [project.entry-points."cfbench.suites"]
    my-suite = "my_plugin.suites"
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cfbench.errors import PluginError
from cfbench.registry.modules import folder_of
from cfbench.registry.registry import installed_entries

GROUP = "cfbench.suites"


@dataclass(frozen=True)
class ShippedSuite:
    """A suite file of an installed distribution.

    Attributes:
        name: what it is called by.
        distribution: the distribution that ships it.
        version: that distribution's version.
        path: the file, which need not exist where there is a problem.
        problem: why it cannot be used, or an empty text.
    """

    name: str
    distribution: str
    version: str
    path: Path
    problem: str = ""


def shipped_suites() -> dict[str, ShippedSuite]:
    """Return the suites of all installed distributions by name, in alphabetical order.

    Of a name that several distributions use there is one entry, whose problem names them.
    """
    found: dict[str, list[ShippedSuite]] = {}
    for entry, owner in installed_entries({GROUP}):
        path = Path(f"{entry.name}.toml")
        try:
            path = folder_of(entry.value) / path
            problem = "" if path.is_file() else f"there is no file {path}"
        except PluginError as error:
            problem = str(error)
        found.setdefault(entry.name, []).append(ShippedSuite(entry.name, *owner, path, problem))
    for suites in found.values():
        if len(suites) > 1:
            owners = " and ".join(f"{suite.distribution} {suite.version}" for suite in suites)
            problem = f"the name is registered {len(suites)} times, by {owners}; uninstall one, or give the file's path"
            suites[0] = replace(suites[0], problem=problem)
    return {name: suites[0] for name, suites in sorted(found.items())}

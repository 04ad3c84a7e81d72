"""Plugins and suites of the installed distributions, found by their entry points.

Plugins are imported only when they are used, suites never: an entry point of the group ``cfbench.suites`` has the name
of the suite and names a package, and the suite is the file ``<name>.toml`` in that package's folder::

    [project.entry-points."cfbench.suites"]
    my-suite = "my_plugin.suites"
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from shlex import quote
from typing import Any, Literal, TypeAlias, get_args

from cfbench.errors import PluginError, SpecError, UnknownNameError, UsageError
from cfbench.registry.code_identity import CodeIdentity, Installation, Remark
from cfbench.registry.declaration import Declaration, declaration_of, folder_of, source_of
from cfbench.registry.distributions import Copy
from cfbench.registry.loading import instantiate, load_class
from cfbench.registry.look_alikes import is_first_party, look_alike, normalised
from cfbench.spec import Spec, Value

Kind: TypeAlias = Literal["model", "dataset", "preprocessor", "splitter", "metric", "executor", "tracker"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def group_of(kind: Kind) -> str:
    """Return the entry-point group of a kind, e.g. ``"cfbench.models"``."""
    return f"cfbench.{kind}s"


@dataclass(frozen=True)
class Plugin:
    """One entry point of one installed distribution.

    Attributes:
        kind: what it is.
        name: the name it is called by.
        value: its class, as ``package.module:Class``.
        distribution: the distribution that registers it.
        version: that distribution's version.
        clash: why its name cannot be used, or an empty text.
        installation: what is installed, as it was when first asked.
    """

    kind: Kind
    name: str
    value: str
    distribution: str
    version: str
    clash: str = ""
    installation: Installation = field(default_factory=Installation, compare=False, repr=False)

    @cached_property
    def problem(self) -> str:
        """Why it cannot be used, as far as that shows without importing it; an empty text where it can."""
        missing = missing_packages(self.distribution)
        if self.clash or missing:
            return self.clash or f"needs {', '.join(missing)}"
        try:
            declaration_of(self.value)
            module = self.value.partition(":")[0]
            source, copy = source_of(module), self.installation.found(self.distribution)
        except PluginError as error:
            return str(error)
        if copy is not None and not copy.holds(source):
            text = f"its module {module} would be imported from {source}, which is no file of {self.distribution}"
            place = (source.parent if source.name == "__init__.py" else source).parents[module.count(".")]
            project = next((one for one in (place, place.parent) if (one / "pyproject.toml").is_file()), None)
            editable = f"`pip install -e {quote(str(project))}` if your own sources of it lie there, else "
            text += f" {self.version}: {editable if project else ''}"
            return f"{text}run in another folder, or rename or remove that module"
        return ""

    @property
    def declaration(self) -> Declaration:
        """What its source declares; raises PluginError where ``problem`` says why not."""
        return declaration_of(self.value)

    @property
    def identity(self) -> CodeIdentity | None:
        """All code that its results depend on, as it was when first asked for; None where it is not installed."""
        return self.installation.identity(self.distribution)

    @property
    def code(self) -> str:
        """SHA-256 of that code, and of which class in it is the plugin; empty where it is not installed."""
        identity = self.identity
        return hashlib.sha256(f"{self.value}\n{identity.digest}".encode()).hexdigest() if identity else ""

    def code_change(self) -> str:
        """Return in words how that code was changed since it was first asked for; an empty text where it was not."""
        return self.installation.change(self.distribution)

    def load(self) -> type[Any]:
        """Import the class. Whatever the import raises, SystemExit included, becomes a PluginError."""
        return load_class(self.value, f"{self.kind} {self.name!r} of {self.distribution} {self.version}")


class Registry:
    """All plugins found, usable or not."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        """Take plugins as found; use :meth:`discover` for the installed ones."""
        self._plugins = list(plugins)
        owners: dict[tuple[Kind, str], list[str]] = {}
        for plugin in self._plugins:
            owners.setdefault((plugin.kind, plugin.name), []).append(f"{plugin.distribution} {plugin.version}")
        for place, plugin in enumerate(self._plugins):
            same = owners[plugin.kind, plugin.name]
            if len(same) > 1:
                clash = f"the name is registered {len(same)} times, by {' and '.join(same)}; uninstall or rename one"
                self._plugins[place] = replace(plugin, clash=clash)

    @classmethod
    def discover(cls) -> Registry:
        """Read the entry points of every installed distribution; imports no plugin."""
        kinds: dict[str, Kind] = {group_of(kind): kind for kind in KINDS}
        installation = Installation()
        return cls(
            Plugin(kinds[entry.group], entry.name, entry.value, *owner, installation=installation)
            for entry, owner in installed_entries(kinds, installation)
        )

    def with_missing(self, models: Mapping[str, str]) -> Registry:
        """Return a registry that also knows ``models``, names with their distributions, where these are not installed.

        Such a model has a problem, which says how to install it. A name that an installed distribution does not bring
        stays unknown.
        """
        installed = {plugin.name for plugin in self._plugins if plugin.kind == "model"}
        missing = [
            Plugin("model", name, "", distribution, "", f"is not installed: pip install {distribution}")
            for name, distribution in models.items()
            if name not in installed and installed_version(distribution) is None
        ]
        return Registry([*self._plugins, *missing])

    def remarks(self, plugin: Plugin) -> list[Remark]:
        """Return what a reader should know of a plugin before believing its name.

        Only likeness to the name of a first-party plugin, or of a library, makes one suspect: else anybody could put a
        warning into the record of a rival, by a plugin that is merely installed.
        """
        found = plugin.installation.remarks(plugin.distribution)
        first = [one.name for one in self._plugins if one.kind == plugin.kind and is_first_party(one.distribution)]
        likeness = "" if is_first_party(plugin.distribution) else look_alike(plugin.name, first)
        if likeness:
            found.append(("look-alike", f"{plugin.kind} {plugin.name} may not be what it seems: {likeness}"))
        return found

    def likenesses(self, kind: Kind) -> list[str]:
        """Return in words which names of strangers, of plugins or distributions, can be taken for each other.

        Nobody can tell which of two such names, if any, is meant to deceive.
        """
        strangers = [one for one in self.plugins(kind) if not is_first_party(one.distribution)]
        found = dict[str, None]()
        for plugin in strangers:
            name, mine = plugin.name, normalised(plugin.distribution)
            others = [one.name for one in strangers if normalised(one.distribution) != mine]
            installed = [one for one in plugin.installation.copies if not is_first_party(one)]
            for what, own, known in ((f"{kind} {name}", name, others), (plugin.distribution, mine, installed)):
                if not look_alike(own, ()) and (likeness := look_alike(own, known)):
                    found[f"{what} and another can be taken for each other: {likeness}"] = None
        return list(found)

    def plugins(self, kind: Kind) -> list[Plugin]:
        """All plugins of a kind, broken ones included, by distribution and name."""
        mine = (plugin for plugin in self._plugins if plugin.kind == kind)
        return sorted(mine, key=lambda plugin: (plugin.distribution, plugin.name))

    def named(self, kind: Kind, name: str) -> Plugin:
        """Return the plugin called ``name``, usable or not; raises UnknownNameError or, for duplicates, UsageError."""
        found = [plugin for plugin in self._plugins if plugin.kind == kind and plugin.name == name]
        if not found:
            advice = f"`cfbench list {kind}s` shows all that are installed; others come with their plugins."
            raise UnknownNameError.among(kind, name, (plugin.name for plugin in self.plugins(kind)), advice)
        if len(found) > 1:
            raise UsageError(f"{kind} {name!r}: {found[0].problem}")
        return found[0]

    def parameters(self, kind: Kind, spec: Spec) -> dict[str, Value]:
        """Check the parameters of ``spec`` and return all of them, defaults filled in.

        Raises UnknownNameError for unknown ones and SpecError for missing ones or wrong types. A plugin with a
        problem is not checked: its parameters are returned as they are.
        """
        plugin = self.named(kind, spec.name)
        if plugin.problem:
            return dict(spec.params)
        known = plugin.declaration.parameters
        for name, value in spec.params.items():
            if name not in known:
                raise UnknownNameError.among(f"parameter of {kind} {spec.name!r}:", name, known)
            if not known[name].accepts(value):
                raise SpecError(f"{kind} {spec.name!r}: {name} expects {known[name].expected}, got {value!r}")
        missing = [name for name, parameter in known.items() if parameter.required and name not in spec.params]
        if missing:
            raise SpecError(f"{kind} {spec.name!r} needs {', '.join(missing)}: {spec.name}[{missing[0]}=...]")
        given = {name: known[name].canonical(value) for name, value in spec.params.items()}
        return {name: given.get(name, parameter.default) for name, parameter in known.items()}

    def create(self, kind: Kind, spec: Spec) -> Any:
        """Load the plugin's class and make an instance with the parameters of ``spec``."""
        plugin = self.named(kind, spec.name)
        if plugin.problem:
            raise PluginError(f"{kind} {spec.name!r} of {plugin.distribution} cannot be used: {plugin.problem}")
        self.parameters(kind, spec)
        return instantiate(plugin.load(), dict(spec.params), f"{kind} {spec}")


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
    for entry, owner in installed_entries({"cfbench.suites"}, Installation()):
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


def installed_entries(
    groups: Container[str], installation: Installation
) -> Iterator[tuple[metadata.EntryPoint, tuple[str, str]]]:
    """Yield the entry points of ``groups`` with name and version of their distribution.

    Of several copies of a distribution the first on the import path counts.
    """
    for first, *_ in installation.copies.values():
        entries = [entry for entry in first.distribution.entry_points if entry.group in groups]
        yield from ((entry, (first.name, first.version)) for entry in entries)


@cache  # many ask, again and again
def _installed(distribution: str) -> Copy | None:
    with suppress(metadata.PackageNotFoundError):
        found = metadata.distribution(distribution)
        return Copy(found, Path(str(getattr(found, "_path", ""))))
    return None


@cache
def missing_packages(distribution: str) -> tuple[str, ...]:
    """Return the requirements of ``distribution`` (extras apart) that the environment does not meet.

    A requirement that cannot be read is passed over.
    """
    copy = _installed(distribution)
    needed = [(one, installed_version(one.name)) for one in (copy.requirements() if copy else ())]
    return tuple(
        f"{requirement.name}{requirement.specifier} ({f'found {version}' if version else 'not installed'})"
        for requirement, version in needed
        if version is None or not requirement.specifier.contains(version, prereleases=True)
    )


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    copy = _installed(distribution)
    return copy.version if copy else None

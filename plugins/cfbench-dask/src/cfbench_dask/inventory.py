"""What a worker has installed, and whether it is what a task was planned with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Self

from cfbench.execution.task import Task
from cfbench.registry.registry import Registry

_OURS = ("cfbench", "cfbench-dask")


@dataclass(frozen=True)
class Inventory:
    """Versions on one machine.

    Attributes:
        ours: versions of cfbench and of this distribution.
        models: version and source digest by distribution and class of a model.
    """

    ours: Mapping[str, str]
    models: Mapping[tuple[str, str], tuple[str, str]]

    @classmethod
    def of_this_machine(cls, models: Iterable[tuple[str, str]] = ()) -> Self:
        """Look up what is installed here of ``models``, pairs of distribution and ``package.module:Class``."""
        wanted = set(models)
        plugins = Registry.discover().plugins("model") if wanted else []
        found = {
            (plugin.distribution, plugin.value): (plugin.version, plugin.code)
            for plugin in plugins
            if (plugin.distribution, plugin.value) in wanted and not plugin.problem
        }
        return cls({name: metadata.version(name) for name in _OURS}, found)

    @classmethod
    def heard(cls, facts: Any) -> Self:
        """Take what :meth:`told` said elsewhere; raises ValueError where it is nothing of the kind."""
        try:
            ours = {str(name): str(version) for name, version in facts["ours"].items()}
            rows = [[str(text) for text in row] for row in facts["models"]]
            return cls(ours, {(home, model): (version, code) for home, model, version, code in rows})
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"no inventory: {error}") from error

    def told(self) -> Mapping[str, Any]:
        """Return the inventory in words of JSON."""
        return {"ours": dict(self.ours), "models": [[*model, *found] for model, found in self.models.items()]}

    def mismatch(self, task: Task, here: Inventory) -> str:
        """Say why a task that was planned ``here`` must not run there; an empty text where it may."""
        for name, version in here.ours.items():
            if self.ours.get(name) != version:
                return f"has {name} {self.ours.get(name, 'not')}, here is {version}"
        found = self.models.get((task.distribution, task.model))
        if found is None:
            return f"has no usable {task.distribution}"
        version, code = found
        if version != task.version:
            return f"has {task.distribution} {version}, here is {task.version}"
        if code != task.code:
            what = "other sources, or other versions of what it requires, than here"
            return f"has {task.distribution} {version} with {what}"
        return ""

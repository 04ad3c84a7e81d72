"""Plans: the cells of a suite, with data loaded, splits made, names and parameters checked; nothing fitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.errors import PluginError, SpecError, UsageError
from cfbench.evaluation.metrics.metric import Contract, Metric, length_needed
from cfbench.experiment.split_plans import Splits, call_plugin, create_plugin, split_plans
from cfbench.experiment.suite import Suite
from cfbench.records.cell import Cell, GroupKey
from cfbench.records.record import SanityWarning
from cfbench.registry.registry import Plugin, Registry
from cfbench.resources.cost import Clock
from cfbench.spec import Spec, Value, derived_seed, seed_of

_SHORTEST_LISTS = 10  # kept even where no metric needs them: a run can be rescored by others later


@dataclass(frozen=True)
class CellOptions:
    """Options of a cell that can change its output.

    Attributes:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: threads allowed to each model.
    """

    device: str = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Planned:
    """A cell of a plan with what is needed to run it.

    Attributes:
        cell: its coordinates.
        plugin: the model's plugin, usable or not.
        params: the parameters that the suite gives, without defaults.
        seed: the model's own seed.
        remarks: what a reader should know of the plugin before believing its name.
    """

    cell: Cell
    plugin: Plugin
    params: dict[str, Value]
    seed: int
    remarks: tuple[SanityWarning, ...] = ()


@dataclass(frozen=True)
class Study:
    """Cells with the metrics that are measured on each.

    Attributes:
        cells: in table order, folds outermost.
        metrics: what is measured on each.
        splits: gives the split of a cell.
    """

    cells: tuple[Cell, ...]
    metrics: tuple[Metric, ...]
    splits: Splits
    _test_users: dict[GroupKey, NDArray[np.int32]] = field(default_factory=dict, init=False, repr=False)

    @property
    def clock(self) -> Clock:
        """The clock of this process's own work on the study; the cells' own clocks are in their records."""
        return self.splits.clock

    @cached_property
    def groups(self) -> Mapping[GroupKey, Sequence[Cell]]:
        """The cells by group, in table order."""
        groups: dict[GroupKey, list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.group, []).append(cell)
        return groups

    def test_users(self, cell: Cell) -> NDArray[np.int32]:
        """Return the distinct test users of all folds in the group of ``cell``, ascending positions, shape (u,)."""
        if cell.group not in self._test_users:
            folds = {one.fold: one for one in self.groups[cell.group]}
            self._test_users[cell.group] = np.unique(np.concatenate([*map(self.splits.tested, folds.values())]))
        return self._test_users[cell.group]

    def resampling_seed(self, cell: Cell) -> int:
        """Return the seed of the bootstrap: the same for all cells of a group, so that models can be paired."""
        return seed_of(self.groups[cell.group][0].split_fingerprint)


@dataclass(frozen=True)
class Plan:
    """The cells of a suite, ready to be run.

    Attributes:
        suite: what the user asked for.
        planned: its cells in table order, folds outermost.
        study: the same cells with what is measured on each.
    """

    suite: Suite
    planned: tuple[Planned, ...]
    study: Study


def make_plan(suite: Suite, registry: Registry, storage: Storage, options: CellOptions) -> Plan:
    """Check every name and parameter of ``suite``, load its data, make its splits and list its cells.

    A model that is not installed is planned all the same where the suite says which plugin brings it; it is skipped
    when the plan is carried out. Raises UsageError for whatever the user can mend, before anything is fitted.
    """
    registry = registry.with_missing(suite.distributions)
    for text in suite.models:
        registry.parameters("model", Spec.parse(text))
    for text in suite.preprocess:
        registry.parameters("preprocessor", Spec.parse(text))
    metrics = chosen_metrics(suite.metrics, registry)
    list_length = max(_SHORTEST_LISTS, *map(length_needed, metrics))
    splits = Splits()
    cells = tuple(
        planned
        for split_plan in split_plans(suite, registry, storage, splits.clock)
        for fold in split_plan.folds
        for planned in _cells(suite, registry, splits.add(split_plan, fold), split_plan.label, options, list_length)
    )
    return Plan(suite, cells, Study(tuple(planned.cell for planned in cells), metrics, splits))


def model_seed(cell: Cell, seed_names: Mapping[str, str]) -> int:
    """Return the seed of the cell's model: each coordinate but the plugin's version changes it.

    ``seed_names`` are former names of the model's parameters, which seeds are still derived from.
    """
    name = Spec.parse(cell.model).name
    params = {seed_names.get(parameter, parameter): value for parameter, value in cell.params.items()}
    return derived_seed(cell.base_seed, split=cell.split_fingerprint, model=name, params=params, repeat=cell.repeat)


def chosen_metrics(texts: Iterable[str], registry: Registry) -> tuple[Metric, ...]:
    """Return the metrics that ``texts`` name; raises UsageError where two of them share a name."""
    metrics = tuple(_metric(registry, text) for text in texts)
    names = [metric.name for metric in metrics]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"several metrics call themselves {', '.join(sorted(twice))}; keep one")
    return metrics


def _cells(
    suite: Suite, registry: Registry, split: Split, label: str, options: CellOptions, list_length: int
) -> Iterator[Planned]:
    for spec in map(Spec.parse, suite.models):
        plugin = registry.named("model", spec.name)
        params = registry.parameters("model", spec)
        seed_names = {} if plugin.problem else plugin.declaration.seed_names
        code = "" if plugin.problem else plugin.code
        of_libraries = plugin.identity.remarks if code and plugin.identity else []
        remarks = tuple(SanityWarning(*remark) for remark in (*registry.remarks(plugin), *of_libraries))
        for repeat in range(suite.repeats):
            cell = Cell(
                dataset=label,
                split=split.name,
                fold=split.fold,
                split_fingerprint=split.fingerprint,
                features=split.dataset.features_fingerprint,
                model=str(spec),
                params=params,
                distribution=plugin.distribution,
                version=plugin.version,
                code=code,
                base_seed=suite.seed,
                repeat=repeat,
                list_length=list_length,
                n_given=split.n_given,
                device=options.device,
                threads=options.threads,
            )
            yield Planned(cell, plugin, dict(spec.params), model_seed(cell, seed_names), remarks)


def _metric(registry: Registry, text: str) -> Metric:
    """Return the metric of a text, in which ``NDCG@10`` is short for ``NDCG[k=10]``, checked against its contract."""
    name, at, k = text.partition("@")
    if not at:
        spec = Spec.parse(text)
    elif k.isdecimal():
        spec = Spec(name, {"k": int(k)})
    else:
        raise SpecError(f"metric {text!r}: expected a whole number after '@', as in NDCG@10")
    metric: Metric = create_plugin(registry, "metric", spec)
    who = f"metric {text!r} of {registry.named('metric', spec.name).distribution}"
    if not isinstance(getattr(metric, "contract", None), Contract):
        raise PluginError(f"{who} must state its definition in a class attribute 'contract' of type Contract")
    if mistakes := metric.contract.mistakes():
        raise PluginError(f"{who} has a contract that cannot be used: {'; '.join(mistakes)}")
    if not callable(getattr(metric, "measure", None)):
        raise PluginError(f"{who} must have a method measure(evaluation)")
    if not isinstance(call_plugin(who, lambda: metric.name), str):
        raise PluginError(f"{who} must have a text 'name', got {metric.name!r}")
    return metric

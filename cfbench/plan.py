"""From a suite to its cells: data loaded, splits made, names and parameters checked, keys known; nothing fitted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cfbench.dataset import Dataset
from cfbench.errors import CfbenchError, PluginError, SpecError, UnknownNameError, UsageError
from cfbench.metrics.metric import Contract, Metric
from cfbench.record import Cell
from cfbench.registry import Kind, Plugin, Registry
from cfbench.seeds import derived_seed
from cfbench.sources.source import Storage
from cfbench.spec import Spec, Value
from cfbench.splits.split import Split
from cfbench.splits.splitter import Fold
from cfbench.suite import Suite

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """How cells are to be run, as far as it can change their answers.

    Attributes:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: threads allowed to each model.
    """

    device: str = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Planned:
    """A cell with what is needed to run it.

    Attributes:
        cell: its coordinates.
        plugin: the model's plugin, usable or not.
        params: the parameters that were asked for.
        seed: the model's own seed.
    """

    cell: Cell
    plugin: Plugin
    params: dict[str, Value]
    seed: int


@dataclass(frozen=True)
class _Division:
    """One data set under one splitter, with its folds as row indices."""

    label: str
    dataset: Dataset
    split: str
    folds: Sequence[Fold]


class Splits:
    """Makes the split of a cell on demand and keeps the latest few: a plan of many folds stays small."""

    def __init__(self, keep: int = 2) -> None:
        """Keep up to ``keep`` splits in memory."""
        self._folds: dict[tuple[str, str, str], tuple[Dataset, str, Fold]] = {}
        self._kept: OrderedDict[tuple[str, str, str], Split] = OrderedDict()
        self._keep = keep

    def add(self, division: _Division, fold: Fold) -> Split:
        """Register a fold and return its split."""
        key = (division.label, division.split, fold.name)
        self._folds[key] = (division.dataset, division.split, fold)
        return self._get(key)

    def of(self, cell: Cell) -> Split:
        """Return the split that ``cell`` belongs to."""
        return self._get((cell.dataset, cell.split, cell.fold))

    def _get(self, key: tuple[str, str, str]) -> Split:
        if key not in self._kept:
            self._kept[key] = Split.of(*self._folds[key])
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


@dataclass(frozen=True)
class Plan:
    """Everything that is going to be run.

    Attributes:
        suite: what was asked for.
        cells: in table order, folds outermost.
        metrics: what is measured on each.
        splits: gives the split of a cell.
    """

    suite: Suite
    cells: tuple[Planned, ...]
    metrics: tuple[Metric, ...]
    splits: Splits


def make_plan(suite: Suite, registry: Registry, storage: Storage, setting: Setting) -> Plan:
    """Check every name and parameter of ``suite``, load its data, make its splits and list its cells.

    Raises UsageError for whatever the user can mend, before anything is fitted.
    """
    for text in suite.models:
        registry.parameters("model", Spec.parse(text))
    metrics = tuple(_metric(registry, text) for text in suite.metrics)
    called = [metric.name for metric in metrics]
    twice = {name for name in called if called.count(name) > 1}
    if twice:
        raise UsageError(f"several metrics call themselves {', '.join(sorted(twice))}; keep one")
    list_length = max([getattr(metric, "k", 0) for metric in metrics] + [10])
    splits = Splits()
    cells = tuple(
        planned
        for division in _divisions(suite, registry, storage)
        for fold in division.folds
        for planned in _cells(suite, registry, splits.add(division, fold), division.label, setting, list_length)
    )
    return Plan(suite, cells, metrics, splits)


def load_dataset(text: str, registry: Registry, storage: Storage) -> tuple[str, Dataset]:
    """Load the data set that ``text`` names, by its registered name or by a file's path; return label and data."""
    spec = Spec.parse(text)
    known = [plugin.name for plugin in registry.plugins("dataset")]
    if spec.name not in known and _looks_like_a_path(spec.name):
        if "path" in spec.params:
            raise SpecError(f"{text!r} names two files; give one")
        dataset = registry.create("dataset", Spec("file", {"path": spec.name, **spec.params})).load(storage)
        return dataset.name, dataset
    if spec.name not in known:
        raise UnknownNameError.among(
            "dataset",
            spec.name,
            known,
            "`cfbench list datasets` shows all, a path to a ratings file works too.",
        )
    source = _created(registry, "dataset", spec)
    dataset = _guarded(f"dataset {text}", lambda: source.load(storage))
    if not isinstance(dataset, Dataset):
        raise PluginError(f"dataset {text}: load must return a Dataset, got {type(dataset).__name__}")
    return text, dataset


def _looks_like_a_path(name: str) -> bool:
    return "/" in name or "\\" in name or bool(Path(name).suffix[1:].strip("0123456789")) or Path(name).is_file()


def _divisions(suite: Suite, registry: Registry, storage: Storage) -> Iterator[_Division]:
    labels: set[str] = set()
    for text in suite.datasets:
        label, dataset = load_dataset(text, registry, storage)
        if label in labels:
            raise UsageError(f"two data sets are called {label!r}; name one only, or rename one of the files")
        labels.add(label)
        for split in suite.splits:
            spec = Spec.parse(split)
            params = registry.parameters("splitter", spec)
            seed = derived_seed(suite.seed, data=dataset.fingerprint, split=spec.name, params=params)
            yield _Division(label, dataset, split, _folds(registry, spec, dataset, seed))


def _folds(registry: Registry, spec: Spec, dataset: Dataset, seed: int) -> Sequence[Fold]:
    """Ask a splitter plugin for its folds and check what it gives; what is wrong with them is the plugin's failure."""
    splitter = _created(registry, "splitter", spec)
    who = f"splitter {spec} of {registry.named('splitter', spec.name).distribution}"
    folds = _guarded(who, lambda: list(splitter.folds(dataset, seed)))
    names = [getattr(fold, "name", None) for fold in folds]
    if not folds or len(set(names)) < len(names):
        raise PluginError(f"{who} must give at least one fold, each with a name of its own; got {names}")
    for fold in folds:
        for rows in (getattr(fold, "train_rows", None), getattr(fold, "test_rows", None)):
            if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or rows.ndim != 1:
                raise PluginError(
                    f"{who}: fold {fold.name!r} must hold row indices as 1-d integer arrays, got {rows!r}"
                )
    return folds


def _guarded(who: str, ask: Callable[[], T]) -> T:
    """Ask a plugin; its own exceptions are named as its failure, cfbench's pass."""
    try:
        return ask()
    except CfbenchError:
        raise
    except Exception as error:
        raise PluginError(f"{who} failed: {type(error).__name__}: {error}") from error


def _created(registry: Registry, kind: Kind, spec: Spec) -> Any:
    """Make a plugin's instance; one that cannot be used here is the user's to replace."""
    try:
        return registry.create(kind, spec)
    except PluginError as error:
        raise UsageError(str(error)) from error


def _cells(
    suite: Suite, registry: Registry, split: Split, label: str, setting: Setting, list_length: int
) -> Iterator[Planned]:
    for spec in map(Spec.parse, suite.models):
        plugin = registry.named("model", spec.name)
        params = registry.parameters("model", spec)
        for repeat in range(suite.repeats):
            cell = Cell(
                dataset=label,
                split=split.name,
                fold=split.fold,
                split_fingerprint=split.fingerprint,
                model=str(spec),
                params=params,
                distribution=plugin.distribution,
                version=plugin.version,
                code="" if plugin.problem else plugin.code,
                base_seed=suite.seed,
                repeat=repeat,
                list_length=list_length,
                device=setting.device,
                threads=setting.threads,
            )
            seed = derived_seed(suite.seed, split=split.fingerprint, model=spec.name, params=params, repeat=repeat)
            yield Planned(cell, plugin, dict(spec.params), seed)


def _metric(registry: Registry, text: str) -> Metric:
    """Make a metric from its table name: ``NDCG@10`` is ``NDCG[k=10]``."""
    name, at, k = text.partition("@")
    if not at:
        spec = Spec.parse(text)
    elif k.isdecimal():
        spec = Spec(name, {"k": int(k)})
    else:
        raise SpecError(f"metric {text!r}: expected a whole number after '@', as in NDCG@10")
    metric: Metric = _created(registry, "metric", spec)
    who = f"metric {text!r} of {registry.named('metric', spec.name).distribution}"
    if not isinstance(getattr(metric, "contract", None), Contract):
        raise PluginError(f"{who} must state its definition in a class attribute 'contract' of type Contract")
    if not isinstance(_guarded(who, lambda: metric.name), str):
        raise PluginError(f"{who} must have a text 'name', got {metric.name!r}")
    return metric

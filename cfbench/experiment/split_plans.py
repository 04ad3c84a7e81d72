"""Splits of a suite: data sets loaded, preprocessed and divided into folds, and the split of a cell made on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Fold, Split
from cfbench.errors import CfbenchError, DataError, PluginError, SpecError, UnknownNameError, UsageError
from cfbench.experiment.suite import Suite
from cfbench.records.cell import Cell
from cfbench.registry.registry import Kind, Registry
from cfbench.resources.cost import Clock
from cfbench.spec import Spec, derived_seed

_KEPT = 2  # splits in memory
_Place: TypeAlias = tuple[str, str, str]  # data set, splitter, fold
T = TypeVar("T")


@dataclass(frozen=True)
class SplitPlan:
    """One data set under one splitter, with its folds as row indices.

    Attributes:
        label: the data set as tables name it.
        dataset: the data, preprocessed.
        preprocessing: what was done to it, with what was left.
        split: the splitter as the user wrote it.
        in_time_order: whether the splitter promises that training is earlier than the test.
        folds: the folds.
    """

    label: str
    dataset: Dataset
    preprocessing: tuple[str, ...]
    split: str
    in_time_order: bool
    folds: Sequence[Fold]


class Splits:
    """Splits of cells, made on demand; the latest few are kept, so that many folds need little memory.

    Attributes:
        clock: what loading data (``load``) and making splits (``split``) took in this process.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self._folds: dict[_Place, tuple[SplitPlan, Fold]] = {}
        self._split = lru_cache(_KEPT)(self._make)

    def add(self, plan: SplitPlan, fold: Fold) -> Split:
        """Register a fold and return its split."""
        key = (plan.label, plan.split, fold.name)
        self._folds[key] = (plan, fold)
        return self._split(key)

    def of(self, cell: Cell) -> Split:
        """Return the split that ``cell`` belongs to."""
        return self._split(_place(cell))

    def plan_of(self, cell: Cell) -> SplitPlan:
        """Return the data set and splitter that ``cell`` belongs to."""
        return self._folds[_place(cell)][0]

    def tested(self, cell: Cell) -> NDArray[np.int32]:
        """Return ``Split.test_user_positions`` of ``cell``, without making the split."""
        plan, fold = self._folds[_place(cell)]
        return np.unique(plan.dataset.user_index[fold.test_rows])

    def _make(self, key: _Place) -> Split:
        plan, fold = self._folds[key]
        with self.clock.part("split"):
            return Split.of(plan.dataset, plan.split, fold)


def split_plans(suite: Suite, registry: Registry, storage: Storage, clock: Clock | None = None) -> Iterator[SplitPlan]:
    """Yield the folds of every data set of ``suite``, preprocessed, under every splitter, in table order.

    On ``clock`` loading and preprocessing count as ``load``, splitting as ``split``.

    Raises UsageError where two data sets have one name, and whatever loading, preprocessing and splitting raise.
    """
    clock = clock or Clock()
    labels: set[str] = set()
    for text in suite.datasets:
        with clock.part("load"):
            label, dataset = load_dataset(text, registry, storage)
            dataset, steps = _preprocessed(dataset, suite.preprocess, registry)
        if steps:  # figures on other data are other figures
            label = f"{label} after {', '.join(suite.preprocess)}"
        if label in labels:
            raise UsageError(f"two data sets are called {label!r}; name one only, or rename one of the files")
        labels.add(label)
        for split in suite.splits:
            with clock.part("split"):
                spec = Spec.parse(split)
                params = registry.parameters("splitter", spec)
                seed = derived_seed(suite.seed, data=dataset.fingerprint, split=spec.name, params=params)
                splitter = create_plugin(registry, "splitter", spec)
                in_time_order = getattr(splitter, "in_time_order", False) is True
                folds = _folds(splitter, spec, registry, dataset, seed)
            yield SplitPlan(label, dataset, steps, split, in_time_order, folds)


def load_dataset(text: str, registry: Registry, storage: Storage) -> tuple[str, Dataset]:
    """Load the data set that ``text`` names, by its registered name or by a file's path; return label and data."""
    spec = Spec.parse(text)
    known = [plugin.name for plugin in registry.plugins("dataset")]
    if spec.name not in known:
        path = Path(spec.name)
        # A version number, as in "acme-2.1", is not the suffix of a file.
        has_suffix = bool(path.suffix[1:].strip("0123456789"))
        if not ("/" in spec.name or "\\" in spec.name or has_suffix or path.is_file()):
            advice = "`cfbench list datasets` shows all, a path to a ratings file works too."
            raise UnknownNameError.among("dataset", spec.name, known, advice)
        if "path" in spec.params:
            raise SpecError(f"{text!r} names two files; give one")
        dataset = registry.create("dataset", Spec("file", {"path": spec.name, **spec.params})).load(storage)
        return dataset.name, dataset
    source = create_plugin(registry, "dataset", spec)
    dataset = call_plugin(f"dataset {text}", lambda: source.load(storage))
    if not isinstance(dataset, Dataset):
        raise PluginError(f"dataset {text}: load must return a Dataset, got {type(dataset).__name__}")
    return text, dataset


def _preprocessed(dataset: Dataset, steps: Sequence[str], registry: Registry) -> tuple[Dataset, tuple[str, ...]]:
    """Apply the steps in order; return the data and, for readers, what each step left of them."""
    descriptions = []
    for text in steps:
        step = create_plugin(registry, "preprocessor", Spec.parse(text))
        dataset = call_plugin(f"preprocessor {text}", partial(step.apply, dataset))
        if not isinstance(dataset, Dataset):
            raise PluginError(f"preprocessor {text}: apply must return a Dataset, got {type(dataset).__name__}")
        descriptions.append(
            f"{text} left {len(dataset):,} ratings of {len(dataset.users):,} users and {len(dataset.items):,} items"
        )
    return dataset, tuple(descriptions)


def _folds(splitter: Any, spec: Spec, registry: Registry, dataset: Dataset, seed: int) -> Sequence[Fold]:
    """Return the folds of a splitter plugin, checked; raises PluginError where they break the splitter's contract."""
    who = f"splitter {spec} of {registry.named('splitter', spec.name).distribution}"
    folds = call_plugin(who, lambda: splitter.folds(dataset, seed))
    if not isinstance(folds, Sequence) or not all(isinstance(fold, Fold) for fold in folds):
        members = sorted({type(fold).__name__ for fold in folds}) if isinstance(folds, Sequence) else []
        found = type(folds).__name__ + (f" of {', '.join(members)}" if members else "")
        raise PluginError(f"{who}: folds must return a list of cfbench.data.splits.Fold, got {found}")
    names = [fold.name for fold in folds]
    if not folds or len(set(names)) < len(names):
        raise PluginError(f"{who} must give at least one fold, each with a name of its own; got {names}")
    for fold in folds:
        for rows in (fold.train_rows, fold.test_rows):
            if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or rows.ndim != 1:
                raise PluginError(
                    f"{who}: fold {fold.name!r} must hold row indices as 1-d integer arrays, got {rows!r}"
                )
    return folds


def _place(cell: Cell) -> _Place:
    return (cell.dataset, cell.split, cell.fold)


def call_plugin(who: str, call: Callable[[], T]) -> T:
    """Return what ``call`` returns, which runs a plugin's code: its exceptions become errors that name the plugin.

    Errors of cfbench pass. Raises DataError for an OSError, PluginError for any other exception.
    """
    try:
        return call()
    except CfbenchError:
        raise
    except OSError as error:
        raise DataError(f"{who}: {error.strerror or error}: {error.filename or 'a file'}; make it readable") from error
    except Exception as error:
        raise PluginError(f"{who} failed: {type(error).__name__}: {error}") from error


def create_plugin(registry: Registry, kind: Kind, spec: Spec) -> Any:
    """Return an instance of a plugin; raises UsageError where it cannot be used: the user can name another."""
    try:
        return registry.create(kind, spec)
    except PluginError as error:
        raise UsageError(str(error)) from error

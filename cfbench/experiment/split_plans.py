"""From the texts of a suite to data and folds: data sets loaded, preprocessed and divided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.sources.source import Storage
from cfbench.data.splits.splitter import Fold
from cfbench.errors import CfbenchError, DataError, PluginError, SpecError, UnknownNameError, UsageError
from cfbench.experiment.study import SplitPlan
from cfbench.experiment.suite import Suite
from cfbench.registry.registry import Kind, Registry
from cfbench.resources.clock import Clock
from cfbench.spec import Spec, derived_seed

T = TypeVar("T")


def split_plans(suite: Suite, registry: Registry, storage: Storage, clock: Clock | None = None) -> Iterator[SplitPlan]:
    """Load and preprocess every data set of ``suite`` and divide it by every splitter, in table order.

    On ``clock`` the first two count as ``load``, the last as ``split``.

    Raises UsageError where two data sets have one name, and whatever loading, preprocessing and splitting raise.
    """
    clock = clock or Clock()
    labels: set[str] = set()
    for text in suite.datasets:
        with clock.part("load"):
            label, dataset = load_dataset(text, registry, storage)
            label, dataset, told = _preprocessed(label, dataset, suite.preprocess, registry)
        if label in labels:
            raise UsageError(f"two data sets are called {label!r}; name one only, or rename one of the files")
        labels.add(label)
        for split in suite.splits:
            with clock.part("split"):
                division = _divided(suite.seed, label, dataset, told, split, registry)
            yield division


def _divided(
    base_seed: int, label: str, dataset: Dataset, preprocessing: tuple[str, ...], split: str, registry: Registry
) -> SplitPlan:
    spec = Spec.parse(split)
    params = registry.parameters("splitter", spec)
    seed = derived_seed(base_seed, data=dataset.fingerprint, split=spec.name, params=params)
    splitter = created(registry, "splitter", spec)
    in_time_order = getattr(splitter, "in_time_order", False) is True
    folds = _folds(splitter, spec, registry, dataset, seed)
    return SplitPlan(label, dataset, preprocessing, split, in_time_order, folds)


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
    source = created(registry, "dataset", spec)
    dataset = guarded(f"dataset {text}", lambda: source.load(storage))
    if not isinstance(dataset, Dataset):
        raise PluginError(f"dataset {text}: load must return a Dataset, got {type(dataset).__name__}")
    return text, dataset


def _looks_like_a_path(name: str) -> bool:
    return "/" in name or "\\" in name or bool(Path(name).suffix[1:].strip("0123456789")) or Path(name).is_file()


def _preprocessed(
    label: str, dataset: Dataset, steps: Sequence[str], registry: Registry
) -> tuple[str, Dataset, tuple[str, ...]]:
    """Apply the steps in order; the label names them, since figures on other data are other figures."""
    told = []
    for text in steps:
        spec = Spec.parse(text)
        step = created(registry, "preprocessor", spec)
        dataset = guarded(f"preprocessor {text}", partial(step.apply, dataset))
        if not isinstance(dataset, Dataset):
            raise PluginError(f"preprocessor {text}: apply must return a Dataset, got {type(dataset).__name__}")
        told.append(
            f"{text} left {len(dataset):,} ratings of {len(dataset.users):,} users and {len(dataset.items):,} items"
        )
    return (f"{label} after {', '.join(steps)}" if steps else label), dataset, tuple(told)


def _folds(splitter: Any, spec: Spec, registry: Registry, dataset: Dataset, seed: int) -> Sequence[Fold]:
    """Ask a splitter plugin for its folds and check what it gives; what is wrong with them is the plugin's failure."""
    who = f"splitter {spec} of {registry.named('splitter', spec.name).distribution}"
    folds = guarded(who, lambda: splitter.folds(dataset, seed))
    if not isinstance(folds, Sequence) or not all(isinstance(fold, Fold) for fold in folds):
        raise PluginError(f"{who}: folds must return a list of cfbench.data.splits.splitter.Fold, got {_told(folds)}")
    names = [fold.name for fold in folds]
    if not folds or len(set(names)) < len(names):
        raise PluginError(f"{who} must give at least one fold, each with a name of its own; got {names}")
    for fold in folds:
        for rows in (getattr(fold, "train_rows", None), getattr(fold, "test_rows", None)):
            if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or rows.ndim != 1:
                raise PluginError(
                    f"{who}: fold {fold.name!r} must hold row indices as 1-d integer arrays, got {rows!r}"
                )
    return folds


def _told(value: object) -> str:
    kinds = sorted({type(one).__name__ for one in value}) if isinstance(value, Sequence) else []
    return type(value).__name__ + (f" of {', '.join(kinds)}" if kinds else "")


def guarded(who: str, ask: Callable[[], T]) -> T:
    """Ask a plugin; its own exceptions are named as its failure, cfbench's pass."""
    try:
        return ask()
    except CfbenchError:
        raise
    except OSError as error:
        raise DataError(f"{who}: {error.strerror or error}: {error.filename or 'a file'}; make it readable") from error
    except Exception as error:
        raise PluginError(f"{who} failed: {type(error).__name__}: {error}") from error


def created(registry: Registry, kind: Kind, spec: Spec) -> Any:
    """Make a plugin's instance; one that cannot be used here is the user's to replace."""
    try:
        return registry.create(kind, spec)
    except PluginError as error:
        raise UsageError(str(error)) from error

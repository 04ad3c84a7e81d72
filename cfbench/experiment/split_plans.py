"""Split plans of a suite: data sets loaded, preprocessed and split into folds."""

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
        for rows in (getattr(fold, "train_rows", None), getattr(fold, "test_rows", None)):
            if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or rows.ndim != 1:
                raise PluginError(
                    f"{who}: fold {fold.name!r} must hold row indices as 1-d integer arrays, got {rows!r}"
                )
    return folds


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

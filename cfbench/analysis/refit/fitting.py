"""Fitting a cell's model again, in the present process."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from cfbench.errors import CfbenchError, ModelError, UsageError
from cfbench.execution.fit_and_predict import prepare
from cfbench.experiment.plan import model_seed
from cfbench.model.protocols import FitContext
from cfbench.model.ratings import Ratings
from cfbench.records.record import Cell
from cfbench.registry.loading import instantiate
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import Spec


def plugin_of(cell: Cell, registry: Registry) -> Plugin:
    """Return the plugin that registers the cell's model; raises UsageError where it cannot be used here."""
    plugin = registry.named("model", Spec.parse(cell.model).name)
    if plugin.problem:
        raise UsageError(f"model {cell.model} of {plugin.distribution} cannot be used: {plugin.problem}")
    return plugin


def fitted(cell: Cell, plugin: Plugin, train: Ratings, *, seed: int | None = None) -> object:
    """Return a fresh instance of the cell's model, fitted to ``train`` with the cell's parameters.

    Args:
        cell: gives parameters, device, threads and, unless ``seed`` is given, the seed.
        plugin: the model's.
        train: what to learn from; the cell's own training part gives the model of the run again.
        seed: another seed than the cell's.

    Raises:
        PluginError: the plugin cannot be loaded.
        ModelError: the model raised; the traceback goes to standard error.
    """
    with threadpool_limits(cell.threads):
        cls = prepare(plugin.value, f"model {cell.model}")
        params = {name: tuple(value) if isinstance(value, list) else value for name, value in cell.params.items()}
        model = instantiate(cls, params, f"model {cell.model}")
        if seed is None:
            seed = model_seed(cell, getattr(cls, "seed_names", {}))
        context = FitContext(seed, cell.device, cell.threads)
        with at_work(cell):
            model.fit(train, context)
    return model


@contextmanager
def at_work(cell: Cell) -> Iterator[None]:
    """Let the cell's model work with the threads of its run; whatever it raises becomes a ModelError naming it.

    The traceback goes to standard error.
    """
    try:
        with threadpool_limits(cell.threads):  # the last digits of a sum may depend on their number
            yield
    except CfbenchError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        traceback.print_exc()
        raise ModelError(f"{cell.model} failed: {type(error).__name__}: {error}") from error

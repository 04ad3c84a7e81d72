"""Finished cells of a run, named by a few words, and their models: loaded where they were saved, else fitted again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.errors import CfbenchError, ModelError, StoreError, UnknownNameError, UsageError
from cfbench.execution.failure_reasons import failure_of
from cfbench.execution.fit_and_predict import prepare, with_cold_entities
from cfbench.execution.interrupts import interrupts
from cfbench.experiment.past_run import past_records, past_suite
from cfbench.experiment.plan import model_seed
from cfbench.experiment.split_plans import split_plans
from cfbench.experiment.suite import Suite
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.inference.output import ModelOutput
from cfbench.inference.pair_order import PairOrder
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model.protocols import FitContext, PredictsRatings
from cfbench.model.ratings import Ratings
from cfbench.records.cell import Cell
from cfbench.records.kept_models import ModelFolder
from cfbench.records.record import Record
from cfbench.records.store import RunFolder
from cfbench.registry.loading import instantiate
from cfbench.registry.registry import Plugin, Registry
from cfbench.resources.cost import Clock
from cfbench.spec import Spec

SHORT_KEY = 8
"""Characters of a cell's key that distinguish it from others, in listings and in names of folders."""

_MAX_LISTED = 20


@dataclass(frozen=True, eq=False)
class FinishedCell:
    """A finished cell with its data.

    Attributes:
        folder: the run's.
        record: the cell's results.
        split: the data that the model was fitted to and evaluated on.
        plugin: the model's plugin.
        output: the model's output in the run.
        note: called with messages for the user: what takes time, and what is not as it was in the run.
    """

    folder: RunFolder
    record: Record
    split: Split
    plugin: Plugin
    output: ModelOutput
    note: Callable[[str], None]

    @property
    def cell(self) -> Cell:
        """The cell's coordinates."""
        return self.record.cell

    @cached_property
    def inputs(self) -> EvaluationInputs:
        """The inputs that the model had in the run."""
        return EvaluationInputs.of(self.split)

    def refit(self, train: Ratings, *, seed: int | None = None) -> object:
        """Return a fresh model with the cell's parameters, fitted to ``train`` in this process.

        Args:
            train: the training data; the cell's own give the model of the run again.
            seed: another seed than the cell's.

        Raises:
            PluginError: the plugin cannot be loaded.
            ModelError: the model raised; the traceback goes to standard error.
        """
        cell = self.cell
        if seed is None:
            seed = model_seed(cell, self.plugin.declaration.seed_names)
        params = Spec(cell.model, cell.params).params  # lists that have been through JSON are tuples again
        with self.guarded():
            cls = prepare(self.plugin.value, f"model {cell.model}")
            model = instantiate(cls, params, f"model {cell.model}")
            model.fit(train, FitContext(seed, cell.device, cell.threads))
        return model

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Call the cell's model with the threads of its run; whatever it raises becomes a ModelError naming it.

        The traceback goes to standard error.
        """
        with interrupts() as interrupted:
            try:
                with threadpool_limits(self.cell.threads):  # the last digits of a sum may depend on their number
                    yield
            except CfbenchError:
                raise
            except BaseException as error:  # a plugin may raise anything
                if interrupted:
                    raise
                _, reason = failure_of(error, self.plugin.value.partition(":")[0].partition(".")[0], ())
                raise ModelError(f"{self.cell.model} failed: {reason}") from error


def load_cell(
    folder: RunFolder, text: str | None, registry: Registry, storage: Storage, note: Callable[[str], None]
) -> FinishedCell:
    """Return the finished cell that ``text`` names, with its data.

    Args:
        folder: the run's folder.
        text: the cell, see :func:`select_record`; None for the only one.
        registry: gives data sets, preprocessors, splitters and models.
        storage: where data are found.
        note: called with messages for the user.

    Raises:
        UsageError: no such run or cell, other data than the run's, or a plugin that cannot be used.
        StoreError: the stored model output cannot be read, or does not fit the cell's inputs.
    """
    suite = past_suite(folder)
    record = select_record(past_records(folder, suite, note).values(), text)
    cell, plugin = record.cell, plugin_of(record.cell, registry)
    split = _split_of(cell, suite, registry, storage)
    stored = folder.load(cell, lambda _: split)
    if stored is None or stored[1] is None:
        raise StoreError(f"the stored output of {cell} is gone; the same `cfbench run` computes it anew")
    return FinishedCell(folder, record, split, plugin, stored[1], note)


def select_record(records: Iterable[Record], text: str | None) -> Record:
    """Return the one finished record that ``text`` names.

    ``text`` is tried as the model as it was written, as the model's name, as the beginning of the cell's key, as the
    cell as listings show it and as a part of that, in this order; the first reading that fits any cell counts. None
    means the only cell there is.

    Raises:
        UsageError: no cell is finished, or several fit, which are listed with their keys.
        UnknownNameError: none fits.
    """
    finished = [record for record in records if record.status == "ok"]
    if not finished:
        raise UsageError("no cell of this run is finished; start the same `cfbench run` again")
    fitting = finished
    if text is not None:
        lower = text.lower()
        readings: tuple[Callable[[Cell], bool], ...] = (
            lambda cell: cell.model == text,
            lambda cell: Spec.parse(cell.model).name == text,
            lambda cell: len(text) >= SHORT_KEY // 2 and cell.key.startswith(lower),
            lambda cell: str(cell).lower() == lower,  # "... n_given=1" is a part of "... n_given=10"
            lambda cell: lower in str(cell).lower(),
        )
        by_reading = ([record for record in finished if fits(record.cell)] for fits in readings)
        fitting = next(filter(None, by_reading), [])
    if not fitting:
        raise UnknownNameError.among("cell", str(text), {record.cell.model for record in finished}, _listing(finished))
    if len(fitting) > 1:
        what = "there are" if text is None else f"{text!r} fits"
        raise UsageError(f"{what} {len(fitting)} cells; name one, by its key if need be:{_listing(fitting)}")
    return fitting[0]


def _listing(records: Sequence[Record]) -> str:
    lines = [f"\n  {record.cell.key[:SHORT_KEY]}  {record.cell}" for record in records[:_MAX_LISTED]]
    return "".join(lines) + (f"\n  and {len(records) - _MAX_LISTED} more" if len(records) > _MAX_LISTED else "")


def plugin_of(cell: Cell, registry: Registry) -> Plugin:
    """Return the plugin that registers the cell's model; raises UsageError where it cannot be used here."""
    plugin = registry.named("model", Spec.parse(cell.model).name)
    if plugin.problem:
        raise UsageError(f"model {cell.model} of {plugin.distribution} cannot be used: {plugin.problem}")
    return plugin


def _split_of(cell: Cell, suite: Suite, registry: Registry, storage: Storage) -> Split:
    """Load the data of ``cell`` and split them as its run did.

    Raises UsageError where the data, the side information or the split are not those of the run.
    """
    # Names that the cell's label begins with come first, so that few data sets are loaded.
    likely = sorted(suite.datasets, key=lambda text: not cell.dataset.startswith(text))
    narrowed = suite.model_copy(update={"datasets": tuple(likely), "splits": (cell.split,)})
    plan = next((one for one in split_plans(narrowed, registry, storage) if one.label == cell.dataset), None)
    if plan is None:
        raise UsageError(f"no data set of suite {suite.name!r} is {cell.dataset!r} any more; run again")
    fold = next((one for one in plan.folds if one.name == cell.fold), None)
    split = None if fold is None else Split.of(plan.dataset, plan.split, fold)
    if split is None or split.fingerprint != cell.split_fingerprint:
        raise UsageError(
            f"{cell.dataset}, {cell.split} has other rows now than {cell} was fitted to; restore the data, or run again"
        )
    if split.dataset.features_fingerprint != cell.features:
        raise UsageError(
            f"{cell.dataset} has other side information now than {cell} was fitted to; restore it, or run again"
        )
    return split


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A finished cell's model as it was evaluated in the run.

    Attributes:
        cell: the cell and its data.
        model: the fitted model; it has the run's cold-start entities where it can take them.
        queries: the run's queries in the codes that the model knows.
    """

    cell: FinishedCell
    model: object
    queries: Queries


def load_or_fit(cell: FinishedCell) -> object:
    """Return the cell's model as ``fit`` left it, without cold-start entities: loaded where saved, else fitted again.

    Raises StoreError where the saved model is damaged or another's, ModelError where the model failed to fit.
    """
    models = ModelFolder(cell.folder.path)
    if models.has(cell.cell):
        return models.load(cell.cell, cell.plugin)
    cell.note(f"fitting {cell.cell} again; `cfbench run --save-models` keeps models that can be saved")
    return cell.refit(cell.split.train)


def fitted_model(cell: FinishedCell) -> FittedModel:
    """Return the model of a finished cell as it was evaluated; it has answered nothing yet.

    Raises StoreError where the saved model is damaged or another's, ModelError where the model failed.
    """
    model = load_or_fit(cell)
    with cell.guarded():
        return FittedModel(cell, model, with_cold_entities(model, cell.inputs, Clock()))


def note_difference(fitted: FittedModel) -> None:
    """Note where a model's output is not that of its run.

    It is asked for the run's pairs: as in a run, after everything else that it is asked for.
    """
    cell = fitted.cell
    with cell.guarded():
        order = PairOrder.of(cell.split)
        difference = output_difference(fitted.model, fitted.queries, cell.inputs, order, cell.output)
    if difference:
        plugin = cell.plugin
        changed = f"{plugin.distribution} or what it requires was changed since"
        cause = changed if plugin.code != cell.cell.code else "another machine or library may round otherwise"
        cell.note(f"this model of {cell.cell} is not the one in {cell.folder.path}: {difference}; {cause}")


def output_difference(
    model: object, queries: Queries, inputs: EvaluationInputs, order: PairOrder, stored: ModelOutput
) -> str:
    """Return in words how the output of ``model`` differs from that of the run, an empty text where it does not.

    It is asked for the same pairs in the same order, so that sums are rounded alike. Predicted ratings are compared
    where the model predicts, else top-k lists; equal means equal to the bit.
    """
    if stored.predictions is not None and isinstance(model, PredictsRatings):
        users, items = queries.pairs
        stream = ModelOutput(predict_ratings(model, users, items, Clock()), None)
        predictions = order.in_split_order(stream).predictions
        assert predictions is not None
        if np.array_equal(predictions, stored.predictions, equal_nan=True):
            return ""
        if not np.array_equal(np.isnan(predictions), np.isnan(stored.predictions)):
            return "other pairs than in the run lack a prediction"
        gap = np.abs(predictions.astype(np.float64) - stored.predictions)
        return f"predicted ratings differ by up to {np.nanmax(gap, initial=0.0):.3g}"
    if stored.lists is not None:
        users, k, tie_seed = queries.ranked_users, stored.lists.shape[1], inputs.tie_seed
        rankings = rank_items(
            model, inputs.train, users, k=k, tie_seed=tie_seed, clock=Clock(), withheld=inputs.withheld
        )
        n_changed = int((rankings.lists != stored.lists).any(axis=1).sum())
        return f"{n_changed} of {len(stored.lists)} lists differ" if n_changed else ""
    return ""

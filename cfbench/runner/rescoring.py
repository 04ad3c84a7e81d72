"""Rescoring of a finished run from its raw answers, by today's metrics: nothing is fitted.

Neither the models' plugins nor their libraries need to be installed; the data do, since the truth is theirs. Cells are
read and never written: what changes are ``suite.json`` and ``records.jsonl``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from threadpoolctl import threadpool_limits

from cfbench.data.sources.source import Storage
from cfbench.errors import StoreError, UnknownNameError, UsageError
from cfbench.evaluation.metrics.metric import Metric, length_needed
from cfbench.experiment.past_run import PastRecords, past_records, past_suite
from cfbench.experiment.plan import Study, chosen_metrics
from cfbench.experiment.split_plans import SplitPlan, Splits, split_plans
from cfbench.experiment.suite import Suite
from cfbench.inference.output import ModelOutput
from cfbench.records.cell import Cell
from cfbench.records.record import Line, Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.results.summary import consolidated
from cfbench.runner.plan_run import CellMeasurer


def rescore(
    folder: RunFolder,
    registry: Registry,
    storage: Storage,
    further_metrics: Sequence[str],
    note: Callable[[str], None],
) -> list[Line]:
    """Measure every finished cell of the last run in ``folder`` again; write and return all lines.

    Failures of the run stay failures, and finished cells whose answers are gone or damaged become failures; cells that
    an interrupted run did not reach are reported. A cell's cost stays
    what it was in the run, the time of its measuring included, so that rescoring with nothing changed writes the
    same bytes.

    Args:
        folder: the run's folder.
        registry: gives data sets, preprocessors, splitters and metrics.
        storage: where data are found.
        further_metrics: metrics beside those that the run had, as ``NDCG@5`` or ``name[param=value]``.
        note: called with a message for every file that cannot be used.

    Raises:
        UsageError: the folder holds no run, a metric is not known or needs longer lists than there are, or the data
            are not those of the run; nothing is written then.
        StoreError: the answers of all finished cells are gone or damaged; nothing is written then.
    """
    suite = past_suite(folder)
    texts, metrics = _metrics(suite, further_metrics, registry, folder)
    past = past_records(folder, suite, note)
    splits = Splits()
    plans = split_plans(suite, registry, storage)
    cells = dict(pair for plan in plans for pair in _cells(plan, suite, past, splits))
    recorded = {cell: record for cell, record in cells.items() if record is not None}
    length = min((record.cell.list_length for record in recorded.values() if record.status == "ok"), default=None)
    for metric in metrics:
        if length is not None and length_needed(metric) > length:
            raise UsageError(
                f"{metric.name} needs lists of {length_needed(metric)} items, the stored ones hold {length}; "
                f"take k of at most {length}, or run again with {metric.name} among the metrics"
            )
    study = Study(tuple(cells), metrics, splits)
    stored = _stored(recorded, folder, splits)
    records: dict[Cell, Record] = {}
    # One thread, as in a run: the last digits of a sum may depend on their number.
    with threadpool_limits(1), closing(CellMeasurer(study)) as measurer:
        for cell, (record, output) in stored.items():
            records[cell] = record
            if output is not None:  # a failure stays a failure
                records[cell] = replace(measurer.measured(record, output), cost=record.cost)
        lines = consolidated(study, records, measurer.samples_of)
    # A further metric that failed on every finished cell is left out of the next rescoring.
    done = [record.failed_metrics for record in records.values() if record.status == "ok"]
    kept = [
        text
        for text, metric in zip(texts, metrics, strict=True)
        if text in suite.metrics or not done or any(metric.name not in failed for failed in done)
    ]
    folder.save_suite(suite.model_copy(update={"metrics": tuple(kept)}).model_dump_json(indent=1))
    folder.write_lines(lines)
    return lines


def _metrics(
    suite: Suite, further: Sequence[str], registry: Registry, folder: RunFolder
) -> tuple[list[str], tuple[Metric, ...]]:
    """Return the texts and the metrics of the run and those of the further ones that are not among them.

    What the run measured is never dropped without a message.
    """
    try:
        measured = chosen_metrics(suite.metrics, registry)
    except UnknownNameError as error:
        raise UsageError(
            f"the run was measured by a metric that is not installed: {error} "
            f"Install its plugin again, or take it out of {folder.suite_path}"
        ) from error
    distinct = list(dict.fromkeys(further))
    added = zip(distinct, chosen_metrics(distinct, registry), strict=True)
    # A metric without parameters need not say when two of it are equal.
    known = [(type(metric), vars(metric)) for metric in measured]
    texts = [*suite.metrics, *(text for text, metric in added if (type(metric), vars(metric)) not in known)]
    return texts, chosen_metrics(texts, registry)


def _cells(plan: SplitPlan, suite: Suite, past: PastRecords, splits: Splits) -> Iterator[tuple[Cell, Record | None]]:
    """Yield the cells that the suite asks for on the splits of one plan, in table order, with their records.

    Raises UsageError where there are cells of these splits by name, but none of them on the rows that they have now.
    """
    made = [splits.add(plan, fold) for fold in plan.folds]
    known = [record.cell for record in past.values()]
    named = [cell for cell in known if (cell.dataset, cell.split) == (plan.label, plan.split)]
    fingerprints = {split.fingerprint for split in made}
    if named and not any(cell.split_fingerprint in fingerprints for cell in named):
        raise UsageError(
            f"{plan.label}, {plan.split} has other rows now than the run was made on: answers can only be "
            "measured against the test ratings that they predict; restore the data, or run again"
        )
    for split in made:
        for model in suite.models:
            # Cells that an interrupted run did not reach: of a model without any, nothing but the name is known.
            nameless = replace(known[0], model=model, params={}, distribution="", version="", code="")
            like = next((cell for cell in known if cell.model == model), nameless)
            for repeat in range(suite.repeats):
                record = past.get((split.fingerprint, split.fold, model, repeat))
                unreached = replace(
                    like,
                    fold=split.fold,
                    split_fingerprint=split.fingerprint,
                    features=split.dataset.features_fingerprint,
                    n_given=split.n_given,
                    repeat=repeat,
                )
                cell = unreached if record is None else record.cell
                yield replace(cell, dataset=plan.label, split=plan.split), record


def _stored(
    recorded: Mapping[Cell, Record], folder: RunFolder, splits: Splits
) -> dict[Cell, tuple[Record, ModelOutput | None]]:
    """Read every cell's record and output; a finished one whose files are gone or damaged becomes a failure.

    Raises StoreError where that is so of all.
    """
    found: dict[Cell, tuple[Record, ModelOutput | None]] = {}
    lost = []
    for cell, record in recorded.items():
        try:
            stored = folder.load(cell, splits.of)
            if stored is None and record.status == "ok":
                raise StoreError("its raw answers are gone")
        except StoreError as error:
            lost.append(f"{cell}: {error}")
            reason = f"cannot be measured again: {error}; the same `cfbench run` computes it anew"
            found[cell] = (Record(cell, "failed", reason, provenance=record.provenance), None)
            continue
        old, output = (record, None) if stored is None else stored
        found[cell] = (replace(old, cell=cell), output)
    if lost and not any(output is not None for _, output in found.values()):
        raise StoreError(
            f"{len(lost)} of {len(recorded)} cells cannot be measured again, the first: {lost[0]}; the same "
            "`cfbench run` computes them anew; nothing was changed"
        )
    return found

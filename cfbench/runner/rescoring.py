"""Measuring a finished run again from its raw answers, by today's metrics: nothing is fitted.

Neither the models' plugins nor their libraries need to be installed; the data do, since the truth is theirs. Cells are
read and never written: what changes are ``suite.json`` and ``records.jsonl``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from threadpoolctl import threadpool_limits

from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.errors import StoreError, UnknownNameError, UsageError
from cfbench.evaluation.metrics.metric import Metric, length_needed
from cfbench.experiment.past_run import Past, past_records, past_suite, place_of
from cfbench.experiment.plan import chosen_metrics
from cfbench.experiment.split_plans import split_plans
from cfbench.experiment.study import SplitPlan, Splits, Study
from cfbench.experiment.suite import Suite
from cfbench.inference.output import ModelOutput
from cfbench.records.answer_shapes import require_answers_to
from cfbench.records.record import Cell, Line, Record
from cfbench.records.store import RunFolder
from cfbench.registry.registry import Registry
from cfbench.results.summary import consolidated
from cfbench.runner.recorder import Recorder


def rescore(
    folder: RunFolder,
    registry: Registry,
    storage: Storage,
    further_metrics: Sequence[str],
    note: Callable[[str], None],
) -> list[Line]:
    """Measure every finished cell of the last run in ``folder`` again; write and return all lines.

    Failures of the run stay failures; cells that the run was cut off before are told as such. What a cell took stays
    what it took in the run, the time of its measuring included, so that rescoring with nothing changed writes the
    same bytes.

    Args:
        folder: the run's folder.
        registry: gives data sets, preprocessors, splitters and metrics.
        storage: where data are found.
        further_metrics: metrics beside those that the run had, as ``NDCG@5`` or ``name[param=value]``.
        note: is told of files that cannot be used.

    Raises:
        UsageError: the folder holds no run, a metric is not known or needs longer lists than there are, or the data
            are not those of the run; nothing is written then.
        StoreError: answers of finished cells are gone or damaged; what their tables say is left as it is.
    """
    suite = past_suite(folder)
    texts, metrics = _metrics(suite, further_metrics, registry, folder)
    past = past_records(folder, suite, note)
    splits = Splits()
    cells = tuple(
        cell for division in split_plans(suite, registry, storage) for cell in _cells(division, suite, past, splits)
    )
    _check_lists(metrics, [past[place_of(cell)] for cell in cells if place_of(cell) in past])
    answers = _answers([(cell, past[place_of(cell)]) for cell in cells if place_of(cell) in past], folder)
    recorder = Recorder(Study(cells, metrics, splits))
    with threadpool_limits(1):  # as in a run: the last digits of a sum may depend on the number of threads
        records = {cell: _measured(record, raw, recorder) for cell, (record, raw) in answers.items()}
        lines = consolidated(recorder.study, records, recorder.queue)
    kept = [
        text
        for text, metric in zip(texts, metrics, strict=True)
        if text in suite.metrics or not _failed_everywhere(metric, records)
    ]
    folder.save_suite(suite.model_copy(update={"metrics": tuple(kept)}).model_dump_json(indent=1))
    folder.write_lines(lines)
    return lines


def _failed_everywhere(metric: Metric, records: Mapping[Cell, Record]) -> bool:
    """Whether a metric has nothing to say of any finished cell: the next rescoring does without a further one."""
    done = [record for record in records.values() if record.status == "ok"]
    return bool(done) and all(metric.name in record.failed_metrics for record in done)


def _metrics(
    suite: Suite, further: Sequence[str], registry: Registry, folder: RunFolder
) -> tuple[list[str], tuple[Metric, ...]]:
    """Make the run's metrics and the further ones that are not among them; return their texts too.

    What the run measured is never dropped on the quiet.
    """
    try:
        measured = chosen_metrics(suite.metrics, registry)
    except UnknownNameError as error:
        raise UsageError(
            f"the run was measured by a metric that is not installed: {error} "
            f"Install its plugin again, or take it out of {folder.suite_path}"
        ) from error
    distinct = list(dict.fromkeys(further))
    asked = dict(zip(distinct, chosen_metrics(distinct, registry), strict=True))
    new = [text for text, metric in asked.items() if metric not in measured]
    texts = [*suite.metrics, *new]
    return texts, chosen_metrics(texts, registry)


def _cells(division: SplitPlan, suite: Suite, past: Past, splits: Splits) -> Iterator[Cell]:
    """Yield the cells that the suite asks for in one division, in table order, as a plan does."""
    made = [splits.add(division, fold) for fold in division.folds]
    _check_data(division, {split.fingerprint for split in made}, past)
    for split in made:
        for model in suite.models:
            for repeat in range(suite.repeats):
                record = past.get((split.fingerprint, split.fold, model, repeat))
                known = _never_run(split, model, repeat, past) if record is None else record.cell
                yield replace(known, dataset=division.label, split=division.split)


def _never_run(split: Split, model: str, repeat: int, past: Past) -> Cell:
    """Describe a cell that the run was cut off before; of a model without any cell nothing but the name is known."""
    cells = [record.cell for record in past.values()]
    nameless = replace(cells[0], model=model, params={}, distribution="", version="", code="")
    return replace(
        next((cell for cell in cells if cell.model == model), nameless),
        fold=split.fold,
        split_fingerprint=split.fingerprint,
        features=split.dataset.features_fingerprint,
        n_given=split.n_given,
        repeat=repeat,
    )


def _check_data(division: SplitPlan, fingerprints: set[str], past: Past) -> None:
    """Raise UsageError where there are cells of this division by name, but none of them on the rows that it has now."""
    named = [
        record.cell
        for record in past.values()
        if (record.cell.dataset, record.cell.split) == (division.label, division.split)
    ]
    if named and not any(cell.split_fingerprint in fingerprints for cell in named):
        raise UsageError(
            f"{division.label}, {division.split} has other rows now than the run was made on: answers can only be "
            "measured against the truth that they were asked about; restore the data, or run again"
        )


def _check_lists(metrics: Sequence[Metric], records: Sequence[Record]) -> None:
    """Raise UsageError where a metric looks further down the lists than they go."""
    length = min((record.cell.list_length for record in records if record.status == "ok"), default=None)
    for metric in metrics:
        if length is not None and length_needed(metric) > length:
            raise UsageError(
                f"{metric.name} needs lists of {length_needed(metric)} items, the stored ones hold {length}; "
                f"take k of at most {length}, or run again with {metric.name} among the metrics"
            )


def _answers(cells: Sequence[tuple[Cell, Record]], folder: RunFolder) -> dict[Cell, tuple[Record, ModelOutput | None]]:
    """Read every cell's record and answers; raises StoreError where those of a finished one are gone or damaged."""
    found: dict[Cell, tuple[Record, ModelOutput | None]] = {}
    lost = []
    for cell, record in cells:
        try:
            stored = folder.load(cell)
        except StoreError as error:
            lost.append(f"{cell}: {error}")
            continue
        if stored is None and record.status == "ok":
            lost.append(f"{cell}: its raw answers are gone")
        old, answers = (record, None) if stored is None else stored
        found[cell] = (replace(old, cell=cell), answers)
    if lost:
        raise StoreError(
            f"{len(lost)} of {len(cells)} cells cannot be measured again, the first: {lost[0]}; the same `cfbench run` "
            "computes them anew; nothing was changed"
        )
    return found


def _measured(record: Record, answers: ModelOutput | None, recorder: Recorder) -> Record:
    """Measure a cell's answers; a failure stays a failure. Raises StoreError for what is no answer to its questions."""
    if answers is None:
        return record
    require_answers_to(recorder.study.splits.of(record.cell), record.cell, answers)
    return replace(recorder.measured(record, answers), cost=record.cost)

"""Models side by side: each against the best of its table, and all of them over several data sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cfbench.evaluation.measure import finite
from cfbench.evaluation.metrics.metric import Metric
from cfbench.evaluation.statistics.bootstrap import percentile_interval
from cfbench.evaluation.statistics.ranks import FEWEST_DATASETS, FEWEST_MODELS, rank_test
from cfbench.evaluation.statistics.significance import bootstrap_p, holm, wilcoxon_p
from cfbench.experiment.study import Study
from cfbench.records.lines import Comparison, Line, Standing, Summary
from cfbench.records.record import Cell, Record, figure_name
from cfbench.results.bootstrap_queue import BootstrapQueue
from cfbench.results.conditions import definitions, settings
from cfbench.results.summary import GroupSamples, summary


def compared(study: Study, records: Sequence[Record], queue: BootstrapQueue) -> list[Summary | Comparison | Standing]:
    """Summarise the records of a study, division by division, compare the models in each, then over data sets.

    Args:
        study: the cells that there should be, and their metrics.
        records: what came of them so far.
        queue: has resampled every finished cell.
    """
    lines: list[Summary | Comparison | Standing] = []
    summaries: list[Summary] = []
    for division, cells in study.groups.items():
        ours = [record for record in records if record.cell.group == division]
        drawn = GroupSamples.of([record for record in ours if record.status == "ok"], queue)
        models = dict.fromkeys(cell.model for cell in cells)
        told = [
            summary([c for c in cells if c.model == model], [r for r in ours if r.cell.model == model], drawn)
            for model in models
        ]
        summaries += told
        complete = [one for one in told if one.finished == one.cells]
        lines += [*told, *_comparisons(cells[0], complete, study.metrics, drawn)]
    return [*lines, *_standings(summaries, study.metrics)]


@dataclass(frozen=True)
class _Contest:
    """One figure in which complete models compete: their values by model, and which way is better."""

    name: str
    values: Mapping[str, float]
    lower: bool
    of_stratum: bool

    @cached_property
    def best(self) -> str:
        return min(self.values, key=lambda model: self.values[model] if self.lower else -self.values[model], default="")


def _comparisons(
    where: Cell, complete: Sequence[Summary], metrics: Sequence[Metric], drawn: GroupSamples
) -> Iterator[Comparison]:
    for metric in metrics:
        contests = (*_contests(complete, metric, drawn), *_stratum_contests(complete, metric, drawn))
        yield from _corrected([pair for one in contests for pair in _against_best(where, one, drawn)])


def _contests(complete: Sequence[Summary], metric: Metric, drawn: GroupSamples) -> Iterator[_Contest]:
    if metric.contract.direction != "none":
        values = {one.model: one.metrics[metric.name].value for one in complete if metric.name in one.metrics}
        yield _contest(metric.name, metric, values, drawn)


def _stratum_contests(complete: Sequence[Summary], metric: Metric, drawn: GroupSamples) -> Iterator[_Contest]:
    figure = metric.contract.figure
    tables = {one.model: one.tables[metric.name].rows for one in complete if metric.name in one.tables}
    if metric.contract.direction != "none":
        for stratum, figures in next(iter(tables.values()), {}).items():
            if figure in figures:
                values = {model: rows[stratum][figure].value for model, rows in tables.items()}
                yield _contest(figure_name(metric.name, stratum, figure), metric, values, drawn)


def _contest(name: str, metric: Metric, values: Mapping[str, float | None], drawn: GroupSamples) -> _Contest:
    """Let those compete who have a value that can be resampled."""
    known = {model: value for model, value in values.items() if value is not None and (model, name) in drawn.samples}
    return _Contest(name, known, metric.contract.direction == "lower", of_stratum=name != metric.name)


def _against_best(where: Cell, contest: _Contest, drawn: GroupSamples) -> Iterator[Comparison]:
    """Compare every model with the best one; p-values are not corrected yet."""
    for model, value in contest.values.items():
        if model != contest.best:
            samples = drawn.samples[model, contest.name] - drawn.samples[contest.best, contest.name]
            interval, difference = percentile_interval(samples), value - contest.values[contest.best]
            yield Comparison(
                dataset=where.dataset,
                split=where.split,
                n_given=where.n_given,
                metric=contest.name,
                best=contest.best,
                model=model,
                difference=difference,
                low=finite(interval.low),
                high=finite(interval.high),
                p=finite(bootstrap_p(difference, samples, drawn.n_users(model, contest.name))),
                wilcoxon=_wilcoxon(model, contest, drawn),
            )


def _wilcoxon(model: str, contest: _Contest, drawn: GroupSamples) -> float | None:
    """Test the values of single users; strata have none: a user of a few rows has no error of their own to rank."""
    own, best = (drawn.per_user(one, contest.name) for one in (model, contest.best))
    if contest.of_stratum or own is None or best is None:
        return None
    return finite(wilcoxon_p(own, best))


def _corrected(pairs: Sequence[Comparison]) -> Iterator[Comparison]:
    """Correct the p-values of all pairs of one metric for being many."""
    ours = holm([math.nan if pair.p is None else pair.p for pair in pairs])
    theirs = holm([math.nan if pair.wilcoxon is None else pair.wilcoxon for pair in pairs])
    for pair, p, wilcoxon in zip(pairs, ours, theirs, strict=True):
        yield replace(pair, p_corrected=finite(p), wilcoxon_corrected=finite(wilcoxon))


def _standings(summaries: Sequence[Summary], metrics: Sequence[Metric]) -> Iterator[Standing]:
    """Rank models over data sets under the same splitter, where there are enough of both."""
    for split in dict.fromkeys(one.split for one in summaries if one.n_given is None):
        ours = [one for one in summaries if one.split == split and one.n_given is None]
        datasets = tuple(dict.fromkeys(one.dataset for one in ours))
        for metric in metrics:
            if metric.contract.direction != "none" and "cost" not in metric.contract.needs:
                yield from _standing(split, datasets, metric, ours)


def _standing(
    split: str, datasets: tuple[str, ...], metric: Metric, summaries: Sequence[Summary]
) -> Iterator[Standing]:
    values: dict[str, dict[str, float]] = {}
    for one in summaries:
        figure = one.metrics.get(metric.name)
        if one.finished == one.cells and figure is not None and figure.value is not None:
            values.setdefault(one.model, {})[one.dataset] = figure.value
    everywhere = [model for model, by_dataset in values.items() if len(by_dataset) == len(datasets)]
    if len(datasets) < FEWEST_DATASETS or len(everywhere) < FEWEST_MODELS:
        return
    table = np.array([[values[model][dataset] for model in everywhere] for dataset in datasets])
    test = rank_test(table, lower=metric.contract.direction == "lower")
    ranks = sorted(zip(everywhere, test.mean_ranks.tolist(), strict=True), key=lambda pair: pair[1])
    yield Standing(split, metric.name, datasets, dict(ranks), test.p, test.critical_difference)


def consolidated(study: Study, records: Mapping[Cell, Record], queue: BootstrapQueue) -> list[Line]:
    """Return all that tables need: one order of lines, whether the run was completed, cut off or rescored.

    Args:
        study: the cells that there should be, and their metrics.
        records: what came of the study's cells; cells that were not run are missing.
        queue: has resampled every record that is ok; it is closed.
    """
    ordered = [records[cell] for cell in study.cells if cell in records]
    lines = [*settings(study), *definitions(study), *ordered, *compared(study, ordered, queue)]
    queue.close()
    return lines

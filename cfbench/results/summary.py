"""Lines of a whole run, derived from the records of its cells: summaries, comparisons, and ranks over data sets.

Folds and repeats are averaged; the strata of tables pool the test rows of all folds. Intervals resample *users*, once
for all models of a group, so that every model is seen on the same bootstrap samples: folds are pooled and differences
are paired.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.measure import finite
from cfbench.evaluation.metrics.metric import Metric
from cfbench.evaluation.statistics.bootstrap import (
    Interval,
    MetricSamples,
    RatioSamples,
    percentile_interval,
    percentile_intervals,
)
from cfbench.evaluation.statistics.significance import (
    FEWEST_DATASETS,
    FEWEST_MODELS,
    bootstrap_p,
    holm,
    rank_test,
    wilcoxon_p,
)
from cfbench.experiment.plan import Study
from cfbench.records.cell import Cell, GroupKey
from cfbench.records.record import Comparison, Figure, Line, Record, Standing, StrataTable, Summary, figure_name
from cfbench.results.conditions import definitions, run_conditions
from cfbench.results.group_checks import with_warnings_of_group

_Name: TypeAlias = tuple[str, str]
"""A model and a figure name."""


@dataclass(frozen=True, eq=False)
class CellSamples:
    """The figures of one cell on the bootstrap samples of its result group.

    Attributes:
        draws: by figure name; see :func:`cfbench.records.record.figure_name` for those of strata.
        per_user: of metrics, strata apart, the figure of each user of the group, shape (u,); NaN for those who do not
            count here.
    """

    draws: Mapping[str, MetricSamples]
    per_user: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class GroupSamples:
    """The figures of all models of a result group on the same bootstrap samples of users.

    Attributes:
        draws: by model and figure name, one for each cell; of strata one for each repeat, its folds pooled.
        per_users: by model and metric, the figure of each user of the group, shape (u,), one for each cell.
    """

    draws: Mapping[_Name, Sequence[MetricSamples]] = field(default_factory=dict)
    per_users: Mapping[_Name, Sequence[NDArray[np.float32]]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record], samples_of: Callable[[Cell], CellSamples]) -> GroupSamples:
        """Gather the samples of the cells of one group; ``records`` are those that are ok."""
        draws: dict[_Name, list[MetricSamples]] = defaultdict(list)
        strata: dict[tuple[str, str, int], list[RatioSamples]] = defaultdict(list)
        per_users: dict[_Name, list[NDArray[np.float32]]] = defaultdict(list)
        for record in records:
            cell, samples = record.cell, samples_of(record.cell)
            for name, one in samples.draws.items():
                if isinstance(one, RatioSamples) and name not in record.metrics:
                    strata[cell.model, name, cell.repeat].append(one)
                else:
                    draws[cell.model, name].append(one)
            for name, values in samples.per_user.items():
                per_users[cell.model, name].append(values)
        for (model, name, _), folds in strata.items():
            draws[model, name].append(reduce(add, folds))
        return cls(draws, per_users)

    @cached_property
    def samples(self) -> Mapping[_Name, NDArray[np.float64]]:
        """By model and figure name, its value in every sample, mean over the cells, shape (resamples,)."""
        return {key: _mean_where_known(np.array([one.samples for one in cells])) for key, cells in self.draws.items()}

    @cached_property
    def _intervals(self) -> Mapping[_Name, Interval]:
        """The interval of each of the samples; all that are whole at once, since each call takes a while."""
        whole = [key for key, samples in self.samples.items() if np.isfinite(samples).all()]
        at_once = percentile_intervals(np.array([self.samples[key] for key in whole])) if whole else []
        others = {key: percentile_interval(self.samples[key]) for key in self.samples.keys() - whole}
        return {**dict(zip(whole, at_once, strict=True)), **others}

    def figure(self, model: str, name: str, value: float | None, n: int) -> Figure:
        """Return ``value`` with its interval, where the figure can be resampled."""
        if (model, name) not in self.samples:
            return Figure(value, n=n)
        interval = self._intervals[model, name]
        return Figure(value, finite(interval.low), finite(interval.high), n)

    def n_users(self, model: str, name: str) -> int:
        """Return how many users of the group the figure rests on, at the most, in one cell."""
        return max(one.n_users for one in self.draws[model, name])

    def per_user(self, model: str, name: str) -> NDArray[np.float64] | None:
        """Return the figure of each user, mean over the cells that tested them, shape (u,); None for no such figure."""
        cells = self.per_users.get((model, name))
        return None if cells is None else _mean_where_known(np.array(cells, dtype=np.float64))


def _mean_where_known(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over cells, shape (cells, n), those that have a value; NaN where none has."""
    known = np.isfinite(samples)
    count = known.sum(axis=0)
    mean = np.full(count.shape, np.nan)
    np.divide(np.where(known, samples, 0.0).sum(axis=0), count, out=mean, where=count > 0)
    return mean


def consolidated(study: Study, records: Mapping[Cell, Record], samples_of: Callable[[Cell], CellSamples]) -> list[Line]:
    """Return all lines that tables need, in one order, whether the run was completed, cut off or rescored.

    Args:
        study: the cells planned, and their metrics.
        records: what came of the study's cells; cells that were not run are missing.
        samples_of: returns the samples of a cell whose record is ok.
    """
    lines: list[Line] = [run_conditions(study, cells, records) for cells in study.groups.values()]
    lines += [*definitions(study), *(records[cell] for cell in study.cells if cell in records)]
    summaries: list[Summary] = []
    for group, cells in study.groups.items():
        of_group = [records[cell] for cell in cells if cell in records]
        samples = GroupSamples.of((record for record in of_group if record.status == "ok"), samples_of)
        rows = []
        for model in dict.fromkeys(cell.model for cell in cells):
            planned = [cell for cell in cells if cell.model == model]
            rows.append(summary(planned, [record for record in of_group if record.cell.model == model], samples))
        folds = list({cell.fold: cell for cell in cells}.values())
        rows = with_warnings_of_group(rows, samples.samples, folds, study.splits)
        complete = [one for one in rows if one.finished == one.cells]
        lines += [*rows, *_comparisons(group, complete, study.metrics, samples)]
        summaries += rows
    return [*lines, *_standings(summaries, study.metrics)]


def summary(cells: Sequence[Cell], records: Sequence[Record], samples: GroupSamples) -> Summary:
    """Return the summary of one model in one result group; where cells were not run, it says so.

    Args:
        cells: the cells planned.
        records: what came of them so far.
        samples: the figures of the group's models on the same bootstrap samples.
    """
    done = [record for record in records if record.status == "ok"]
    failures = [
        f"{record.status}: {record.reason}" + (f" (logs/{record.cell.key}.log)" if record.log_tail else "")
        for record in records
        if record.status != "ok"
    ]
    if len(records) < len(cells):
        failures.append("not run: the run was cut off")
    names = dict.fromkeys(name for record in done for name in record.metrics)
    missing = {
        name: replace(one, reason=f"the metric failed: {one.reason}") if one.status == "failed" else one
        for record in done
        for name, one in record.missing.items()
    }
    tables = done[0].tables if done else ()  # only those that all cells have are kept, so any cell may name them
    cell = cells[0]
    return Summary(
        dataset=cell.dataset,
        split=cell.split,
        n_given=cell.n_given,
        model=cell.model,
        distribution=cell.distribution,
        version=cell.version,
        cells=len(cells),
        finished=len(done),
        reason=failures[0] if failures else "",
        metrics={name: _mean_figure(name, done, samples) for name in names},
        tables={
            name: _pooled_table(name, done, samples) for name in tables if all(name in record.tables for record in done)
        },
        missing=missing,
        seconds=_means([record.cost.seconds for record in done]),
        cpu_seconds=_means([record.cost.cpu_seconds for record in done]),
        peak_memory=max((record.cost.peak_memory for record in done), default=0),
        threads=cell.threads,
        device=", ".join(sorted({record.cost.device for record in done})),
        seed_spread=_spread(done, names, [record.cell.repeat for record in done]),
        fold_spread=_spread(done, names, [record.cell.fold for record in done]),
        warnings=tuple({one.code: one for record in done for one in record.warnings}.values()),
    )


def _mean_figure(name: str, done: Sequence[Record], samples: GroupSamples) -> Figure:
    """Average a metric over cells; ``n`` counts a fold's units once, however often it was repeated."""
    figures = [record.metrics[name] for record in done if name in record.metrics]
    # What cannot be resampled keeps the interval that its metric has stated; over several cells there is none.
    if len(figures) == 1 and (done[0].cell.model, name) not in samples.samples:
        return figures[0]
    n = sum(figure.n or 0 for figure in figures) // _n_repeats(done)
    return samples.figure(done[0].cell.model, name, _mean([figure.value for figure in figures]), n)


def _pooled_table(name: str, done: Sequence[Record], samples: GroupSamples) -> StrataTable:
    """Pool a strata table over folds; the value is the mean over repeats."""
    model, tables = done[0].cell.model, [record.tables[name] for record in done]
    rows: dict[str, dict[str, Figure]] = {}
    for stratum, figures in tables[0].rows.items():
        rows[stratum] = {}
        for key in figures:
            full_name = figure_name(name, stratum, key)
            repeats = samples.draws.get((model, full_name))
            if repeats:
                value = _mean([finite(one.value) for one in repeats])
                rows[stratum][key] = samples.figure(model, full_name, value, samples.n_users(model, full_name))
            else:  # a count, which is summed over folds
                total = sum(table.rows[stratum][key].value or 0.0 for table in tables)
                rows[stratum][key] = Figure(total / _n_repeats(done))
    return StrataTable(rows, {fact: _mean([table.facts[fact] for table in tables]) for fact in tables[0].facts})


def _n_repeats(done: Sequence[Record]) -> int:
    return len({record.cell.repeat for record in done})


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of values that are all there; a hole makes it None, never the mean of the rest."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: float(np.mean([part.get(name, 0.0) for part in parts])) for name in names}


def _spread(done: Sequence[Record], names: Iterable[str], groups: Sequence[int | str]) -> dict[str, float]:
    """Standard deviation over groups of cells (repeats or folds) of each metric's mean within the group."""
    distinct = sorted(set(groups), key=str)
    if len(distinct) < 2:
        return {}
    spread = {}
    for name in names:
        of_group = [[r.metrics[name].value for r, g in zip(done, groups, strict=True) if g == one] for one in distinct]
        known = [mean for mean in map(_mean, of_group) if mean is not None]
        if len(known) == len(distinct):
            spread[name] = float(np.std(known, ddof=1))
    return spread


def _comparisons(
    group: GroupKey, complete: Sequence[Summary], metrics: Sequence[Metric], samples: GroupSamples
) -> Iterator[Comparison]:
    """Compare complete models with the best of each metric, its strata included; p-values corrected after Holm."""
    for metric in metrics:
        if metric.contract.direction == "none":
            continue
        pairs = [
            pair
            for name, values in _comparable(complete, metric, samples)
            for pair in _against_best(group, metric, name, values, samples)
        ]
        p = holm([math.nan if pair.p is None else pair.p for pair in pairs])
        wilcoxon = holm([math.nan if pair.wilcoxon is None else pair.wilcoxon for pair in pairs])
        for pair, corrected, of_users in zip(pairs, p, wilcoxon, strict=True):
            yield replace(pair, p_corrected=finite(corrected), wilcoxon_corrected=finite(of_users))


def _comparable(
    complete: Sequence[Summary], metric: Metric, samples: GroupSamples
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield values by model, for models that have one and can be resampled: of the metric, then of its strata."""
    key = metric.contract.figure
    tables = {one.model: one.tables[metric.name].rows for one in complete if metric.name in one.tables}
    figures = {metric.name: {one.model: one.metrics[metric.name] for one in complete if metric.name in one.metrics}}
    for stratum, row in next(iter(tables.values()), {}).items():
        if key in row:
            name = figure_name(metric.name, stratum, key)
            figures[name] = {model: rows[stratum][key] for model, rows in tables.items()}
    for name, of_models in figures.items():
        values = {model: figure.value for model, figure in of_models.items() if (model, name) in samples.samples}
        yield name, {model: value for model, value in values.items() if value is not None}


def _against_best(
    group: GroupKey, metric: Metric, name: str, values: Mapping[str, float], samples: GroupSamples
) -> Iterator[Comparison]:
    """Compare every model with the best one; p-values are not corrected yet."""
    sign = 1 if metric.contract.direction == "lower" else -1
    best = min(values, key=lambda model: sign * values[model], default="")
    for model, value in values.items():
        if model == best:
            continue
        differences = samples.samples[model, name] - samples.samples[best, name]
        interval, difference = percentile_interval(differences), value - values[best]
        of_users, of_best = samples.per_user(model, name), samples.per_user(best, name)
        # Strata are not tested by users: a user with a few rows in one has no error worth ranking.
        wilcoxon = None if of_users is None or of_best is None else finite(wilcoxon_p(of_users, of_best))
        yield Comparison(
            *group[:2],
            n_given=group[2],
            metric=name,
            best=best,
            model=model,
            difference=difference,
            low=finite(interval.low),
            high=finite(interval.high),
            p=finite(bootstrap_p(difference, differences, samples.n_users(model, name))),
            wilcoxon=wilcoxon,
        )


def _standings(summaries: Sequence[Summary], metrics: Sequence[Metric]) -> Iterator[Standing]:
    """Rank models over the data sets of the same splitter, by every metric of quality; curves are left out."""
    ranked = [one for one in metrics if one.contract.direction != "none" and "cost" not in one.contract.needs]
    for split in dict.fromkeys(one.split for one in summaries if one.n_given is None):
        of_split = [one for one in summaries if one.split == split and one.n_given is None]
        datasets = tuple(dict.fromkeys(one.dataset for one in of_split))
        for metric in ranked:
            values: dict[str, dict[str, float]] = {}
            for one in of_split:
                figure = one.metrics.get(metric.name)
                if one.finished == one.cells and figure is not None and figure.value is not None:
                    values.setdefault(one.model, {})[one.dataset] = figure.value
            everywhere = [model for model, of_dataset in values.items() if len(of_dataset) == len(datasets)]
            if len(datasets) < FEWEST_DATASETS or len(everywhere) < FEWEST_MODELS:
                continue
            table = np.array([[values[model][dataset] for model in everywhere] for dataset in datasets])
            test = rank_test(table, lower=metric.contract.direction == "lower")
            ranks = sorted(zip(everywhere, test.mean_ranks.tolist(), strict=True), key=lambda pair: pair[1])
            yield Standing(split, metric.name, datasets, dict(ranks), test.p, test.critical_difference)

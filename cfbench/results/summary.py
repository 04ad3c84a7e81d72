"""Summaries: one per model of each result group, from the records of its cells.

Folds and repeats are averaged; the strata of tables pool the test rows of all folds. Intervals resample *users*, once
for all models of a group, so that every model is seen on the same bootstrap samples: folds are pooled and differences
are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.measure import finite
from cfbench.evaluation.statistics.bootstrap import MetricSamples, RatioSamples, percentile_interval
from cfbench.records.lines import Summary
from cfbench.records.record import Cell, Figure, Record, StrataTable, figure_name
from cfbench.results.bootstrap_queue import BootstrapQueue

_Name: TypeAlias = tuple[str, str]
"""A model and a figure name."""


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
    def of(cls, records: Sequence[Record], queue: BootstrapQueue) -> GroupSamples:
        """Gather the samples of the cells of one group; ``records`` are those that are ok."""
        draws: dict[_Name, list[MetricSamples]] = {}
        strata: dict[tuple[str, str, int], list[RatioSamples]] = {}
        per_users: dict[_Name, list[NDArray[np.float32]]] = {}
        for record in records:
            cell, of_cell = record.cell, queue.of(record.cell)
            for name, one in of_cell.draws.items():
                if isinstance(one, RatioSamples) and name not in record.metrics:
                    strata.setdefault((cell.model, name, cell.repeat), []).append(one)
                else:
                    draws.setdefault((cell.model, name), []).append(one)
            for name, values in of_cell.per_user.items():
                per_users.setdefault((cell.model, name), []).append(values)
        for (model, name, _), folds in strata.items():
            draws.setdefault((model, name), []).append(reduce(add, folds))
        return cls(draws, per_users)

    @cached_property
    def samples(self) -> Mapping[_Name, NDArray[np.float64]]:
        """By model and figure name, its value in every sample, mean over the cells, shape (resamples,)."""
        return {key: _mean_where_known(np.array([one.samples for one in cells])) for key, cells in self.draws.items()}

    def figure(self, model: str, name: str, value: float | None, n: int) -> Figure:
        """Return ``value`` with its interval, where the figure can be resampled."""
        if (model, name) not in self.samples:
            return Figure(value, n=n)
        interval = percentile_interval(self.samples[model, name])
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
    mean = np.full(samples.shape[1], np.nan)
    np.divide(np.where(known, samples, 0.0).sum(axis=0), count, out=mean, where=count > 0)
    return mean


def summary(cells: Sequence[Cell], records: Sequence[Record], samples: GroupSamples) -> Summary:
    """Return the summary of one model in one result group; where cells were not run, it says so.

    Args:
        cells: the cells planned.
        records: what came of them so far.
        samples: the figures of the group's models on the same bootstrap samples.
    """
    done = [record for record in records if record.status == "ok"]
    failures = [f"{record.status}: {record.reason}" for record in records if record.status != "ok"]
    if len(records) < len(cells):
        failures.append("not run: the run was cut off")
    names = dict.fromkeys(name for record in done for name in record.metrics)
    missing = {name: one for record in done for name, one in record.missing.items()}
    for name, one in missing.items():
        if one.status == "failed":
            missing[name] = replace(one, reason=f"the metric failed: {one.reason}")
    tables = done[0].tables if done else ()
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
                rows[stratum][key] = samples.figure(model, full_name, value, max(one.n for one in repeats))
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

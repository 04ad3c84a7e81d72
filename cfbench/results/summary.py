"""From the records of cells to what a table shows: one summary per model of each data set, split and curve point.

Folds and repeats are averaged; the strata of tables pool the test rows of all folds. Intervals resample *users*, once
for all models of a division, so that every model is seen on the same resamples: folds are pooled and differences
are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.measure import finite
from cfbench.evaluation.statistics.bootstrap import Draw, RatioDraw, percentile_interval
from cfbench.records.lines import Summary
from cfbench.records.record import Cell, Figure, Record, StrataTable, figure_name
from cfbench.results.bootstrap_queue import BootstrapQueue

_Named: TypeAlias = tuple[str, str]


@dataclass(frozen=True, eq=False)
class GroupSamples:
    """The figures of all models of a division on the same resamples of users.

    Attributes:
        draws: by model and figure name, one for each cell; of strata one for each repeat, its folds pooled.
        per_users: by model and metric, the figure of each user of the division, shape (u,), one for each cell.
    """

    draws: Mapping[_Named, Sequence[Draw]] = field(default_factory=dict)
    per_users: Mapping[_Named, Sequence[NDArray[np.float32]]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Sequence[Record], queue: BootstrapQueue) -> GroupSamples:
        """Gather what was drawn of the cells of one division; ``records`` are those that are ok."""
        draws: dict[_Named, list[Draw]] = {}
        strata: dict[tuple[str, str, int], list[RatioDraw]] = {}
        per_users: dict[_Named, list[NDArray[np.float32]]] = {}
        for record in records:
            cell, told = record.cell, queue.of(record.cell)
            for name, one in told.draws.items():
                if isinstance(one, RatioDraw) and name not in record.metrics:
                    strata.setdefault((cell.model, name, cell.repeat), []).append(one)
                else:
                    draws.setdefault((cell.model, name), []).append(one)
            for name, values in told.per_user.items():
                per_users.setdefault((cell.model, name), []).append(values)
        for (model, name, _), folds in strata.items():
            draws.setdefault((model, name), []).append(reduce(add, folds))
        return cls(draws, per_users)

    @cached_property
    def samples(self) -> Mapping[_Named, NDArray[np.float64]]:
        """By model and figure name, its value in every resample, mean over the cells, shape (resamples,)."""
        return {key: _mean_where_known(np.array([one.samples for one in cells])) for key, cells in self.draws.items()}

    def figure(self, model: str, name: str, value: float | None, n: int) -> Figure:
        """Return ``value`` with its interval, where the figure can be resampled."""
        if (model, name) not in self.samples:
            return Figure(value, n=n)
        interval = percentile_interval(self.samples[model, name])
        return Figure(value, finite(interval.low), finite(interval.high), n)

    def n_users(self, model: str, name: str) -> int:
        """Return how many users of the division the figure rests on, at the most, in one cell."""
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


def summary(cells: Sequence[Cell], records: Sequence[Record], drawn: GroupSamples) -> Summary:
    """Summarise one model in one division.

    A model whose cells were not run, because the run was cut off, gets a summary that says so.

    Args:
        cells: the cells that there should be.
        records: what came of them so far.
        drawn: the figures of the division's models on the same resamples.
    """
    done = [record for record in records if record.status == "ok"]
    cell = cells[0]
    names = dict.fromkeys(name for record in done for name in record.metrics)
    return Summary(
        dataset=cell.dataset,
        split=cell.split,
        n_given=cell.n_given,
        model=cell.model,
        distribution=cell.distribution,
        version=cell.version,
        cells=len(cells),
        finished=len(done),
        reason=_why_unfinished(cells, records),
        metrics={name: _mean_figure(name, done, drawn) for name in names},
        tables={name: _pooled_table(name, done, drawn) for name in _tables(done)},
        not_applicable=_without_value(done),
        seconds=_means([record.cost.seconds for record in done]),
        cpu_seconds=_means([record.cost.cpu_seconds for record in done]),
        peak_memory=max((record.cost.peak_memory for record in done), default=0),
        threads=cell.threads,
        device=", ".join(sorted({record.cost.device for record in done})),
        seed_spread=_spread(done, names, [record.cell.repeat for record in done]),
        fold_spread=_spread(done, names, [record.cell.fold for record in done]),
        warnings=tuple({one.code: one for record in done for one in record.warnings}.values()),
    )


def _why_unfinished(cells: Sequence[Cell], records: Sequence[Record]) -> str:
    """Give the first failure's reason, or that cells were not run at all; empty where all is well."""
    failures = (f"{record.status}: {record.reason}" for record in records if record.status != "ok")
    missing = len(cells) - len(records)
    return next(failures, "not run: the run was cut off" if missing else "")


def _without_value(done: Sequence[Record]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for record in done:
        reasons |= record.not_applicable
        reasons |= {name: f"the metric failed: {how}" for name, how in record.broken_metrics.items()}
    return reasons


def _tables(done: Sequence[Record]) -> list[str]:
    """Names of the tables that every cell has."""
    return [name for name in (done[0].tables if done else ()) if all(name in record.tables for record in done)]


def _repeats(done: Sequence[Record]) -> int:
    return len({record.cell.repeat for record in done})


def _mean_figure(name: str, done: Sequence[Record], drawn: GroupSamples) -> Figure:
    """Average a metric over cells; ``n`` counts a fold's units once, however often it was repeated."""
    figures = [record.metrics[name] for record in done if name in record.metrics]
    if len(figures) == 1 and (done[0].cell.model, name) not in drawn.samples:
        return figures[0]
    n = sum(figure.n or 0 for figure in figures) // _repeats(done)
    return drawn.figure(done[0].cell.model, name, _mean([figure.value for figure in figures]), n)


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of values that are all there; a hole makes it None, never the mean of the rest."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: float(np.mean([part.get(name, 0.0) for part in parts])) for name in names}


def _pooled_table(name: str, done: Sequence[Record], drawn: GroupSamples) -> StrataTable:
    """Pool the strata over folds; counts are summed over folds, not over repeats."""
    tables = [record.tables[name] for record in done]
    rows = {
        stratum: {
            figure: _pooled_figure(done, figure_name(name, stratum, figure), drawn)
            or Figure(sum(table.rows[stratum][figure].value or 0.0 for table in tables) / _repeats(done))
            for figure in figures
        }
        for stratum, figures in tables[0].rows.items()
    }
    facts = {fact: _mean([table.facts[fact] for table in tables]) for fact in tables[0].facts}
    return StrataTable(rows, facts)


def _pooled_figure(done: Sequence[Record], name: str, drawn: GroupSamples) -> Figure | None:
    """Return a stratum's figure over the rows of all folds, mean over repeats; None for a mere count."""
    model = done[0].cell.model
    repeats = drawn.draws.get((model, name), ())
    if not repeats:
        return None
    value = _mean([finite(one.value) for one in repeats])
    return drawn.figure(model, name, value, max(one.n for one in repeats))


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

"""From the records of cells to what a table shows: one summary per model, and who is tied with the best.

Folds and repeats are averaged. Intervals and comparisons resample *users*, once for all models of a division, so
that every model is seen on the same resamples: folds are pooled and differences are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.harness import finite
from cfbench.lines import Comparison, Summary
from cfbench.metrics.metric import Metric, PerUser
from cfbench.plan import Plan
from cfbench.record import Cell, Figure, Record, Table, stratum_name
from cfbench.statistics import percentile_interval, resampled

_COUNTS = ("n", "filled")  # figures of a stratum that are sums over its rows

Replicates: TypeAlias = Mapping[tuple[str, str], NDArray[np.float64]]
PerUserSums: TypeAlias = Mapping[str, Mapping[str, PerUser]]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Per-user sums of one cell in one metric, beside the users they belong to."""

    model: str
    metric: str
    people: NDArray[np.int32]
    per_user: PerUser


def summaries_and_comparisons(
    plan: Plan, records: Sequence[Record], per_user: PerUserSums
) -> list[Summary | Comparison]:
    """Summarise the records of a plan, division by division, in table order.

    A model whose cells were not run, because the run was cut off, gets a summary that says so.
    ``per_user`` holds the per-user sums of every finished cell, by cell key and metric name.
    """
    lines: list[Summary | Comparison] = []
    by_division = sorted(plan.cells, key=lambda planned: planned.cell.group[:2])
    for division, planned in groupby(by_division, key=lambda planned: planned.cell.group[:2]):
        ours = [record for record in records if record.cell.group[:2] == division]
        lines += _summarised([one.cell for one in planned], ours, plan, per_user)
    return lines


def _summarised(
    cells: Sequence[Cell], records: Sequence[Record], plan: Plan, per_user: PerUserSums
) -> list[Summary | Comparison]:
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    replicates = _replicates(list(_all_sums(records, plan, per_user)), cells[0].resampling_seed)
    summaries = [
        _summary(group, [record for record in records if record.cell.group == key], replicates)
        for key, group in groups.items()
    ]
    complete = [summary for summary in summaries if summary.finished == summary.cells]
    comparisons = (
        _comparisons(complete, metric, replicates) for metric in plan.metrics if metric.contract.direction != "none"
    )
    return [*summaries, *(one for some in comparisons for one in some)]


def _all_sums(records: Iterable[Record], plan: Plan, per_user: PerUserSums) -> Iterator[_Sums]:
    for record in records:
        if record.status == "ok":
            people = plan.splits.of(record.cell).people
            for metric, sums in per_user[record.cell.key].items():
                yield _Sums(record.cell.model, metric, people, sums)


def _replicates(sums: list[_Sums], seed: int) -> Replicates:
    """Resample users; return each model's metric in every resample, mean over its cells, shape (resamples,)."""
    if not sums:
        return {}
    everyone = np.unique(np.concatenate([one.people for one in sums]))
    samples = resampled([_aligned(one, everyone) for one in sums], seed)
    values: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for one, sample in zip(sums, samples, strict=True):
        values.setdefault((one.model, one.metric), []).append(sample)
    return {key: _mean_where_known(np.array(parts)) for key, parts in values.items()}


def _mean_where_known(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over cells, shape (cells, resamples), those that have a value; NaN where none has."""
    known = np.isfinite(samples)
    count = known.sum(axis=0)
    mean = np.full(samples.shape[1], np.nan)
    np.divide(np.where(known, samples, 0.0).sum(axis=0), count, out=mean, where=count > 0)
    return mean


def _aligned(one: _Sums, everyone: NDArray[np.int32]) -> PerUser:
    """Spread a cell's sums over the users of all cells; 0 / 0 where the cell has not tested a user."""
    rows = np.searchsorted(everyone, one.people)
    numerators, denominators = np.zeros(len(everyone)), np.zeros(len(everyone))
    numerators[rows], denominators[rows] = one.per_user.numerators, one.per_user.denominators
    return PerUser(numerators, denominators, one.per_user.rooted)


def _summary(cells: Sequence[Cell], records: Sequence[Record], replicates: Replicates) -> Summary:
    done = [record for record in records if record.status == "ok"]
    cell = cells[0]
    names = dict.fromkeys(name for record in done for name in record.metrics)
    return Summary(
        dataset=cell.dataset,
        split=cell.split,
        model=cell.model,
        distribution=cell.distribution,
        version=cell.version,
        cells=len(cells),
        finished=len(done),
        reason=_why_unfinished(cells, records),
        metrics={name: _pooled(name, done, replicates.get((cell.model, name))) for name in names},
        tables={name: _mean_table([record.tables[name] for record in done], _repeats(done)) for name in _tables(done)},
        not_applicable=_without_value(done),
        seconds=_means([record.cost.seconds for record in done]),
        cpu_seconds=_means([record.cost.cpu_seconds for record in done]),
        peak_memory=max((record.cost.peak_memory for record in done), default=0),
        seed_spread=_spread(done, names),
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


def _pooled(name: str, done: Sequence[Record], replicate: NDArray[np.float64] | None) -> Figure:
    """Average a metric over cells; ``n`` counts a fold's units once, however often it was repeated."""
    figures = [record.metrics[name] for record in done if name in record.metrics]
    value = _mean([figure.value for figure in figures])
    n = sum(figure.n or 0 for figure in figures) // _repeats(done)
    if replicate is None:
        return Figure(value, n=n)
    interval = percentile_interval(replicate)
    return Figure(value, finite(interval.low), finite(interval.high), n)


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of values that are all there; a hole makes it None, never the mean of the rest."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: float(np.mean([part.get(name, 0.0) for part in parts])) for name in names}


def _mean_table(tables: Sequence[Table], repeats: int) -> Table:
    """Average strata over cells, weighted by their rows ``n``; rows are summed over folds, not over repeats."""
    rows: dict[str, dict[str, float | None]] = {}
    for name, first in tables[0].rows.items():
        strata = [table.rows[name] for table in tables]
        rows[name] = {
            figure: sum(stratum[figure] or 0.0 for stratum in strata) / repeats
            if figure in _COUNTS
            else _weighted_mean([stratum[figure] for stratum in strata], [stratum.get("n", 1.0) for stratum in strata])
            for figure in first
        }
    facts = {name: _mean([table.facts[name] for table in tables]) for name in tables[0].facts}
    return Table(rows, facts)


def _weighted_mean(values: Sequence[float | None], weights: Sequence[float | None]) -> float | None:
    """Mean over the strata that have rows; None where none has."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None and weight]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if known else None


def _spread(done: Sequence[Record], names: Iterable[str]) -> dict[str, float]:
    """Standard deviation over repeats of each metric's mean over folds."""
    repeats = sorted({record.cell.repeat for record in done})
    if len(repeats) < 2:
        return {}
    spread = {}
    for name in names:
        means = [_mean([r.metrics[name].value for r in done if r.cell.repeat == repeat]) for repeat in repeats]
        known = [mean for mean in means if mean is not None]
        if len(known) == len(repeats):
            spread[name] = float(np.std(known, ddof=1))
    return spread


def _comparisons(summaries: Sequence[Summary], metric: Metric, replicates: Replicates) -> Iterator[Comparison]:
    """Compare every complete model with the best one in ``metric``, or in each of its strata."""
    figures = {s.model: s.metrics[metric.name].value for s in summaries if metric.name in s.metrics}
    yield from _against_best(summaries, metric.name, figures, replicates, metric.contract.direction == "lower")
    tables = {s.model: s.tables[metric.name].rows for s in summaries if metric.name in s.tables}
    for stratum in next(iter(tables.values()), {}):
        errors = {model: rows[stratum].get("RMSE") for model, rows in tables.items()}
        yield from _against_best(summaries, stratum_name(metric.name, stratum), errors, replicates, lower=True)


def _against_best(
    summaries: Sequence[Summary],
    name: str,
    figures: Mapping[str, float | None],
    replicates: Replicates,
    lower: bool,
) -> Iterator[Comparison]:
    values = {model: value for model, value in figures.items() if value is not None and (model, name) in replicates}
    best = min(values, key=lambda model: values[model] if lower else -values[model], default="")
    for model, value in values.items():
        if model != best:
            interval = percentile_interval(replicates[model, name] - replicates[best, name])
            yield Comparison(
                dataset=summaries[0].dataset,
                split=summaries[0].split,
                metric=name,
                best=best,
                model=model,
                difference=value - values[best],
                low=finite(interval.low),
                high=finite(interval.high),
            )

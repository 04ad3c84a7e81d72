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
from cfbench.metrics.metric import Metric, PerUser
from cfbench.plan import Plan
from cfbench.record import Comparison, Figure, Record, Summary, Table
from cfbench.statistics import percentile_interval, resampled

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

    ``per_user`` holds the per-user sums of every finished cell, by cell key and metric name.
    """
    expected: dict[tuple[str, str, str], int] = {}
    for planned in plan.cells:
        expected[planned.cell.group] = expected.get(planned.cell.group, 0) + 1
    lines: list[Summary | Comparison] = []
    by_division = sorted(records, key=lambda record: record.cell.group[:2])
    for _, division in groupby(by_division, key=lambda record: record.cell.group[:2]):
        lines += _summarised(list(division), expected, plan, per_user)
    return lines


def _summarised(
    records: list[Record], expected: Mapping[tuple[str, str, str], int], plan: Plan, per_user: PerUserSums
) -> list[Summary | Comparison]:
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        groups.setdefault(record.cell.group, []).append(record)
    replicates = _replicates(list(_all_sums(records, plan, per_user)), records[0].cell.resampling_seed)
    summaries = [_summary(group, expected[key], replicates) for key, group in groups.items()]
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
    return {key: np.mean(parts, axis=0) for key, parts in values.items()}


def _aligned(one: _Sums, everyone: NDArray[np.int32]) -> PerUser:
    """Spread a cell's sums over the users of all cells; 0 / 0 where the cell has not tested a user."""
    rows = np.searchsorted(everyone, one.people)
    numerators, denominators = np.zeros(len(everyone)), np.zeros(len(everyone))
    numerators[rows], denominators[rows] = one.per_user.numerators, one.per_user.denominators
    return PerUser(numerators, denominators, one.per_user.rooted)


def _summary(group: list[Record], expected: int, replicates: Replicates) -> Summary:
    done = [record for record in group if record.status == "ok"]
    cell = group[0].cell
    failures = [f"{record.status}: {record.reason}" for record in group if record.status != "ok"]
    names = dict.fromkeys(name for record in done for name in record.metrics)
    return Summary(
        dataset=cell.dataset,
        split=cell.split,
        model=cell.model,
        distribution=cell.distribution,
        version=cell.version,
        cells=expected,
        finished=len(done),
        reason=failures[0] if failures else "",
        metrics={name: _pooled(name, done, replicates.get((cell.model, name))) for name in names},
        tables={name: _mean_table([record.tables[name] for record in done]) for name in (done or group)[0].tables},
        not_applicable=done[0].not_applicable if done else {},
        seconds=_means([record.cost.seconds for record in done]),
        cpu_seconds=_means([record.cost.cpu_seconds for record in done]),
        peak_memory=max((record.cost.peak_memory for record in done), default=0),
        seed_spread=_spread(done, names),
    )


def _pooled(name: str, done: Sequence[Record], replicate: NDArray[np.float64] | None) -> Figure:
    figures = [record.metrics[name] for record in done]
    value, n = _mean([figure.value for figure in figures]), sum(figure.n or 0 for figure in figures)
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


def _mean_table(tables: Sequence[Table]) -> Table:
    """Average strata over cells, weighted by their rows; the counts ``n`` are summed."""
    rows: dict[str, dict[str, float | None]] = {}
    for name in tables[0].rows:
        strata = [table.rows[name] for table in tables]
        filled = [stratum for stratum in strata if stratum.get("n")]
        rows[name] = {
            figure: float(sum(stratum[figure] or 0.0 for stratum in strata))
            if figure == "n"
            else _mean([stratum[figure] for stratum in filled])
            for figure in strata[0]
        }
    facts = {name: _mean([table.facts[name] for table in tables]) for name in tables[0].facts}
    return Table(rows, facts)


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
    """Compare every complete model with the best one in ``metric``."""
    values = {
        summary.model: value
        for summary in summaries
        if (figure := summary.metrics.get(metric.name))
        and (value := figure.value) is not None
        and (summary.model, metric.name) in replicates
    }
    if not values:
        return
    sign = 1 if metric.contract.direction == "lower" else -1
    best = min(values, key=lambda model: sign * values[model])
    for model, value in values.items():
        if model != best:
            interval = percentile_interval(replicates[model, metric.name] - replicates[best, metric.name])
            yield Comparison(
                dataset=summaries[0].dataset,
                split=summaries[0].split,
                metric=metric.name,
                best=best,
                model=model,
                difference=value - values[best],
                low=interval.low,
                high=interval.high,
            )

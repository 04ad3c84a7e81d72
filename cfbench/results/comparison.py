"""Lines of a whole run: summaries, comparisons of each model with the best, and ranks over several data sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cfbench.evaluation.measure import finite
from cfbench.evaluation.metrics.metric import Metric
from cfbench.evaluation.statistics.bootstrap import percentile_interval
from cfbench.evaluation.statistics.ranks import FEWEST_DATASETS, FEWEST_MODELS, rank_test
from cfbench.evaluation.statistics.significance import bootstrap_p, holm, wilcoxon_p
from cfbench.experiment.study import Study
from cfbench.records.lines import Comparison, Line, Standing, Summary
from cfbench.records.record import Cell, GroupKey, Record, figure_name
from cfbench.results.bootstrap_queue import BootstrapQueue
from cfbench.results.conditions import definitions, run_conditions
from cfbench.results.summary import GroupSamples, summary


def consolidated(study: Study, records: Mapping[Cell, Record], queue: BootstrapQueue) -> list[Line]:
    """Return all lines that tables need, in one order, whether the run was completed, cut off or rescored.

    Args:
        study: the cells planned, and their metrics.
        records: what came of the study's cells; cells that were not run are missing.
        queue: has resampled every record that is ok; it is closed.
    """
    ordered = [records[cell] for cell in study.cells if cell in records]
    lines: list[Line] = [run_conditions(study, cells) for cells in study.groups.values()]
    lines += [*definitions(study), *ordered]
    summaries: list[Summary] = []
    for group, cells in study.groups.items():
        of_group = [record for record in ordered if record.cell.group == group]
        samples = GroupSamples.of([record for record in of_group if record.status == "ok"], queue)
        rows = [
            summary(
                [cell for cell in cells if cell.model == model],
                [record for record in of_group if record.cell.model == model],
                samples,
            )
            for model in dict.fromkeys(cell.model for cell in cells)
        ]
        complete = [one for one in rows if one.finished == one.cells]
        lines += [*rows, *_comparisons(group, complete, study.metrics, samples)]
        summaries += rows
    queue.close()
    return [*lines, *_standings(summaries, study.metrics)]


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
        yield (
            name,
            {
                model: figure.value
                for model, figure in of_models.items()
                if figure.value is not None and (model, name) in samples.samples
            },
        )


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
        wilcoxon = math.nan
        if name == metric.name and of_users is not None and of_best is not None:
            wilcoxon = wilcoxon_p(of_users, of_best)
        yield Comparison(
            dataset=group[0],
            split=group[1],
            n_given=group[2],
            metric=name,
            best=best,
            model=model,
            difference=difference,
            low=finite(interval.low),
            high=finite(interval.high),
            p=finite(bootstrap_p(difference, differences, samples.n_users(model, name))),
            wilcoxon=finite(wilcoxon),
        )


def _standings(summaries: Sequence[Summary], metrics: Sequence[Metric]) -> Iterator[Standing]:
    """Rank models over the data sets of the same splitter, by every metric of quality; curves are left out."""
    ranked = [
        metric for metric in metrics if metric.contract.direction != "none" and "cost" not in metric.contract.needs
    ]
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

"""Result groups: the lines of a run by data set and splitter, as tables show them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cfbench.records.record import Comparison, Definition, GroupKey, Line, RunConditions, Standing, Summary
from cfbench.reporting.table import Column, Mark

COMPARED = ("accuracy", "ranking")
"""Families of metrics by which models are compared: drawn as curves, tested against the best, shown with spreads."""

_DISPLAY = ".4f"
_PLAIN_DISPLAY = re.compile(r"[+,]{0,2}(\.\d{1,2})?[fge%]")  # a width of a million would fill pages


@dataclass(frozen=True)
class Point:
    """All models on one data set under one split; of a curve, at one number of known ratings.

    Attributes:
        n_given: known ratings of every held-out user or item, or None where the split is no curve.
        summaries: one per model, best RMSE first, rankers after, failures last.
        comparisons: against the best, by figure and model.
        conditions: the conditions of the comparison, if they were recorded.
    """

    n_given: int | None
    summaries: tuple[Summary, ...]
    comparisons: Mapping[tuple[str, str], Comparison]
    conditions: RunConditions | None

    @property
    def finished(self) -> list[Summary]:
        """The summaries that have figures."""
        return [summary for summary in self.summaries if summary.finished]

    def mark(self, figure: str, model: str) -> Mark:
        """Return whether ``model`` is the best in ``figure`` or tied with it."""
        pairs = [one for (name, _), one in self.comparisons.items() if name == figure]
        if all(one.equal for one in pairs):
            return ""  # where all are the same, none is best
        comparison = self.comparisons.get((figure, model))
        if comparison is not None:
            return "best" if comparison.equal else "tie" if comparison.tied else ""
        return "best" if any(one.best == model for one in pairs) else ""


@dataclass(frozen=True)
class ResultGroup:
    """One data set under one splitter.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        points: one, or those of a curve by known ratings.
        definitions: the contract of every metric, by its name, in the order measured.
    """

    dataset: str
    split: str
    points: tuple[Point, ...]
    definitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def conditions(self) -> list[RunConditions]:
        """The conditions of the points, where they were recorded."""
        return [point.conditions for point in self.points if point.conditions is not None]

    @property
    def is_curve(self) -> bool:
        """Whether the points are those of a curve."""
        return self.points[0].n_given is not None

    def family(self, metric: str) -> str:
        """Return the family that a metric belongs to, or an empty text."""
        return self.definitions.get(metric, {}).get("family", "")

    def metrics(self, *families: str) -> list[str]:
        """Return the metrics of these families that some model has a figure of, or that failed, as measured."""
        shown: set[str] = set()
        for point in self.points:
            for summary in point.finished:
                shown |= {*summary.metrics, *(name for name, one in summary.missing.items() if one.status == "failed")}
        return [name for name in self.definitions if name in shown and self.family(name) in families]

    def column(self, metric: str) -> Column:
        """Return the column of a metric, with the direction that its contract states."""
        match self.definitions.get(metric, {}).get("direction"):
            case "lower" | "higher" as direction:
                return Column(metric, direction=direction)
        return Column(metric)

    def number(self, metric: str, value: float) -> str:
        """Write a value as its metric's contract wants it shown; as ``.4f`` where that is no plain format."""
        display = self.definitions.get(metric, {}).get("display", _DISPLAY)
        return format(value, display if _PLAIN_DISPLAY.fullmatch(display) else _DISPLAY)


def result_groups(lines: Iterable[Line]) -> list[ResultGroup]:
    """Return the lines of a run grouped by data set and split, in their order."""
    lines = list(lines)
    definitions = {line.metric: line.contract for line in lines if isinstance(line, Definition)}
    # One pass over the lines: a run of many data sets has thousands of comparisons.
    summaries: dict[tuple[str, str], dict[int | None, list[Summary]]] = {}
    comparisons: dict[GroupKey, dict[tuple[str, str], Comparison]] = {}
    conditions: dict[GroupKey, RunConditions] = {}
    for line in lines:
        match line:
            case Summary():
                summaries.setdefault((line.dataset, line.split), {}).setdefault(line.n_given, []).append(line)
            case Comparison():
                comparisons.setdefault(line.group, {})[line.metric, line.model] = line
            case RunConditions():
                conditions.setdefault(line.group, line)
    groups = []
    for (dataset, split), of_group in summaries.items():
        points = []
        for n_given, rows in of_group.items():
            key = (dataset, split, n_given)
            ordered = tuple(sorted(rows, key=_rank))
            points.append(Point(n_given, ordered, comparisons.get(key, {}), conditions.get(key)))
        groups.append(ResultGroup(dataset, split, tuple(points), definitions))
    return groups


def standings(lines: Iterable[Line]) -> list[Standing]:
    """Return the ranks over data sets that are shown and drawn: in RMSE and NDCG; the rest is in the records."""
    return [line for line in lines if isinstance(line, Standing) and without_parameter(line.metric) in ("RMSE", "NDCG")]


def without_parameter(metric: str) -> str:
    """Return the metric's name without its cut-off: ``NDCG`` of ``NDCG@10``."""
    return metric.partition("@")[0]


def _rank(summary: Summary) -> tuple[bool, float, float]:
    """Sort key of rows: finished before failed, lower RMSE, then higher NDCG."""
    values = {without_parameter(name): figure.value for name, figure in summary.metrics.items()}
    rmse, ndcg = values.get("RMSE"), values.get("NDCG")
    return (summary.finished == 0, float("inf") if rmse is None else rmse, -(ndcg or 0.0))

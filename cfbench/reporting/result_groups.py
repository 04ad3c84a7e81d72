"""The lines of a run, grouped as tables show them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cfbench.records.lines import Comparison, Definition, Line, RunConditions, Summary
from cfbench.reporting.table import Mark

JUDGED = ("accuracy", "ranking")
"""Families of metrics by which models are judged better or worse: drawn as curves, compared and spread out."""

_DISPLAY = ".4f"
_PLAIN_DISPLAY = re.compile(r"[+,]{0,2}(\.\d{1,2})?[fge%]")  # a width of a million would fill pages


@dataclass(frozen=True)
class Point:
    """All models on one data set under one split; of a curve, at one number of ratings given back.

    Attributes:
        n_given: ratings given back to every held-out user or item, or None where the split is no curve.
        summaries: one per model, best RMSE first, rankers after, failures last.
        comparisons: against the best, by figure and model.
        setting: the conditions of the comparison, if they were recorded.
    """

    n_given: int | None
    summaries: tuple[Summary, ...]
    comparisons: Mapping[tuple[str, str], Comparison]
    setting: RunConditions | None

    @property
    def finished(self) -> list[Summary]:
        """The summaries that have figures."""
        return [summary for summary in self.summaries if summary.finished]

    def mark(self, figure: str, model: str) -> Mark:
        """Say whether ``model`` is the best in ``figure`` or tied with it."""
        comparison = self.comparisons.get((figure, model))
        if all(one.equal for one in self.comparisons.values() if one.metric == figure):
            return ""  # where all are the same, none is best
        if comparison is not None:
            return "best" if comparison.equal else "tie" if comparison.tied else ""
        is_best = any(c.metric == figure and c.best == model for c in self.comparisons.values())
        return "best" if is_best else ""


@dataclass(frozen=True)
class ResultGroup:
    """One data set under one splitter.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        points: one, or those of a curve by ratings given back.
        definitions: the contract of every metric, by its name, in the order measured.
    """

    dataset: str
    split: str
    points: tuple[Point, ...]
    definitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def settings(self) -> list[RunConditions]:
        """The settings of the points that have one."""
        return [point.setting for point in self.points if point.setting is not None]

    @property
    def is_curve(self) -> bool:
        """Whether the points are those of a curve."""
        return self.points[0].n_given is not None

    def family(self, metric: str) -> str:
        """Return the family that a metric belongs to, or an empty text."""
        return self.definitions.get(metric, {}).get("family", "")

    def metrics(self, *families: str) -> list[str]:
        """Return the metrics of these families that some model has a figure of, or that failed, as measured."""
        finished = [summary for point in self.points for summary in point.finished]
        has = {name for summary in finished for name in summary.metrics}
        has |= {name for summary in finished for name, why in summary.not_applicable.items() if "failed" in why}
        return [name for name in self.definitions if name in has and self.family(name) in families]

    def number(self, metric: str, value: float) -> str:
        """Write a value as its metric's contract wants it shown; as ``.4f`` where that is no plain way to show one."""
        display = self.definitions.get(metric, {}).get("display", _DISPLAY)
        return format(value, display if _PLAIN_DISPLAY.fullmatch(display) else _DISPLAY)


def result_groups(lines: Iterable[Line]) -> list[ResultGroup]:
    """Group the lines of a run by data set and split, in their order."""
    lines = list(lines)
    definitions = {line.metric: line.contract for line in lines if isinstance(line, Definition)}
    names = dict.fromkeys((line.dataset, line.split) for line in lines if isinstance(line, Summary))
    return [
        ResultGroup(dataset, split, _points([line for line in lines if _belongs(line, dataset, split)]), definitions)
        for dataset, split in names
    ]


def _belongs(line: Line, dataset: str, split: str) -> bool:
    return isinstance(line, Summary | Comparison | RunConditions) and (line.dataset, line.split) == (dataset, split)


def _points(lines: Sequence[Line]) -> tuple[Point, ...]:
    summaries = [line for line in lines if isinstance(line, Summary)]
    ends = dict.fromkeys(summary.n_given for summary in summaries)
    return tuple(_point(n_given, summaries, lines) for n_given in ends)


def _point(n_given: int | None, summaries: Sequence[Summary], lines: Sequence[Line]) -> Point:
    return Point(
        n_given=n_given,
        summaries=tuple(sorted((one for one in summaries if one.n_given == n_given), key=_rank)),
        comparisons={
            (line.metric, line.model): line
            for line in lines
            if isinstance(line, Comparison) and line.n_given == n_given
        },
        setting=next((line for line in lines if isinstance(line, RunConditions) and line.n_given == n_given), None),
    )


def without_parameter(metric: str) -> str:
    """Return the metric's name without its cut-off: ``NDCG`` of ``NDCG@10``."""
    return metric.partition("@")[0]


def _rank(summary: Summary) -> tuple[bool, float, float]:
    """Order of rows: finished before failed, lower RMSE, then higher NDCG."""
    values = {without_parameter(name): figure.value for name, figure in summary.metrics.items()}
    rmse, ndcg = values.get("RMSE"), values.get("NDCG")
    return (summary.finished == 0, float("inf") if rmse is None else rmse, -(ndcg or 0.0))

"""The first table: accuracy, cold start and popularity bias of every model side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from cfbench.records.lines import Summary
from cfbench.reporting.result_groups import Point, ResultGroup, without_parameter
from cfbench.reporting.table import Table, TableCell
from cfbench.reporting.table_cells import figure_entry, model_entry, stratum_entry

_METRICS = ("RMSE", "prediction-coverage", "NDCG", "ARP", "coverage")
_STRATA = {"cold-users": "RMSE, new users", "cold-items": "RMSE, new items"}
_NEW = "0"
_WITH_INTERVAL = ("RMSE", "NDCG")
_NOTE = (
    "Bold (*): best value. ≈: not told apart from the best (p >= 0.05 for no difference, by resampling users in pairs, "
    "corrected after Holm for all pairs of the column). Brackets: 95 % interval, resampling users. "
    "New: without any training rating. †: the model could not answer all of these; the training mean stood in."
)

Column: TypeAlias = tuple[str, Callable[[Point, Summary], TableCell]]


def overview(division: ResultGroup) -> Table:
    """Make the sheet of the figures that most readers look for first; what was not measured is left out."""
    point = division.points[0]
    columns = list(_columns(division))
    rows = tuple(
        (
            model_entry(summary),
            *(entry(point, summary) for _, entry in columns),
            TableCell(f"{summary.distribution} {summary.version}"),
        )
        for summary in point.finished
    )
    return Table("Overview", ("model", *(title for title, _ in columns), "plugin"), rows, (_NOTE,), on_terminal="full")


def _columns(division: ResultGroup) -> Iterator[Column]:
    measured = division.metrics(*{division.family(name) for name in division.definitions})
    for wanted in _METRICS:
        for metric in measured:
            if without_parameter(metric) == wanted:
                yield metric, _metric_column(division, metric, with_interval=wanted in _WITH_INTERVAL)
        if wanted == "prediction-coverage":
            yield from _strata_columns(division)


def _strata_columns(division: ResultGroup) -> Iterator[Column]:
    for table, title in _STRATA.items():
        if any(_NEW in s.tables[table].rows for s in division.points[0].finished if table in s.tables):
            yield title, _stratum_column(division, table)


def _metric_column(division: ResultGroup, metric: str, with_interval: bool) -> Callable[[Point, Summary], TableCell]:
    def entry(point: Point, summary: Summary) -> TableCell:
        shown = figure_entry(division, point, summary, metric)
        return shown if with_interval else TableCell(shown.text, shown.mark)

    return entry


def _stratum_column(division: ResultGroup, table: str) -> Callable[[Point, Summary], TableCell]:
    def entry(point: Point, summary: Summary) -> TableCell:
        if table not in summary.tables:
            return TableCell("n/a")
        shown = stratum_entry(division, point, summary, table, _NEW)
        return TableCell(shown.text, shown.mark)

    return entry

"""What a reader must know beside the figures: spread over fits, what looks wrong, what did not finish."""

from __future__ import annotations

from collections.abc import Iterator

from cfbench.reporting.result_groups import JUDGED, Point, ResultGroup
from cfbench.reporting.table import Table, TableCell
from cfbench.reporting.table_cells import model_entry


def remark_tables(division: ResultGroup) -> Iterator[Table]:
    """Make the sheets of spreads, warnings and failures."""
    yield _spread(division, "seed_spread", "Spread over fits", "fits with different seeds on the same rows")
    yield _spread(division, "fold_spread", "Spread over folds", "folds")
    yield _warnings(division)
    yield _failures(division)


def _spread(division: ResultGroup, attribute: str, title: str, over: str) -> Table:
    point, names = division.points[0], division.metrics(*JUDGED)
    rows = tuple(
        (model_entry(summary), *(_deviation(division, name, getattr(summary, attribute).get(name)) for name in names))
        for summary in point.finished
        if getattr(summary, attribute)
    )
    note = f"Standard deviation over {over}; it is no part of the intervals, which are about users."
    return Table(title, ("model", *names), rows, (note,), on_terminal="no")


def _deviation(division: ResultGroup, metric: str, value: float | None) -> TableCell:
    return TableCell("-" if value is None else division.number(metric, value))


def _warnings(division: ResultGroup) -> Table:
    rows = tuple(
        (TableCell(", ".join(who)), TableCell(code), TableCell(text)) for (code, text), who in _warned(division).items()
    )
    return Table("Warnings", ("where", "check", "reason"), rows)


def _warned(division: ResultGroup) -> dict[tuple[str, str], list[str]]:
    """Gather who each warning is about: the split, or models, at which points of a curve."""
    gathered: dict[tuple[str, str], list[str]] = {}
    for point in division.points:
        at = _at(point)
        for one in point.setting.warnings if point.setting else ():
            gathered.setdefault((one.code, one.text), []).append(f"the split{at}")
        for summary in point.finished:
            for one in summary.warnings:
                gathered.setdefault((one.code, one.text), []).append(f"{summary.model}{at}")
    return gathered


def _failures(division: ResultGroup) -> Table:
    rows = tuple(
        (
            TableCell(summary.model + _at(point)),
            TableCell(f"{summary.finished} of {summary.cells}"),
            TableCell(summary.reason),
        )
        for point in division.points
        for summary in point.summaries
        if summary.finished < summary.cells
    )
    return Table("Not finished", ("model", "cells done", "reason"), rows)


def _at(point: Point) -> str:
    return "" if point.n_given is None else f" (s={point.n_given})"

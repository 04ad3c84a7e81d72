"""What a reader must know beside the figures: spread over fits, what looks wrong, what did not finish."""

from __future__ import annotations

from collections.abc import Iterator

from cfbench.report.division import JUDGED, Division, Point
from cfbench.report.entries import model_entry
from cfbench.report.sheet import Entry, Sheet


def remark_sheets(division: Division) -> Iterator[Sheet]:
    """Make the sheets of spreads, cautions and failures."""
    yield _spread(division, "seed_spread", "Spread over fits", "fits with different seeds on the same rows")
    yield _spread(division, "fold_spread", "Spread over folds", "folds")
    yield _cautions(division)
    yield _failures(division)


def _spread(division: Division, attribute: str, title: str, over: str) -> Sheet:
    point, names = division.points[0], division.metrics(*JUDGED)
    rows = tuple(
        (model_entry(summary), *(_deviation(division, name, getattr(summary, attribute).get(name)) for name in names))
        for summary in point.finished
        if getattr(summary, attribute)
    )
    note = f"Standard deviation over {over}; it is no part of the intervals, which are about users."
    return Sheet(title, ("model", *names), rows, (note,), on_terminal="no")


def _deviation(division: Division, metric: str, value: float | None) -> Entry:
    return Entry("-" if value is None else division.number(metric, value))


def _cautions(division: Division) -> Sheet:
    rows = tuple(
        (Entry(", ".join(who)), Entry(code), Entry(text)) for (code, text), who in _cautioned(division).items()
    )
    return Sheet("Cautions", ("where", "guard", "reason"), rows)


def _cautioned(division: Division) -> dict[tuple[str, str], list[str]]:
    """Gather who each caution is about: the split, or models, at which points of a curve."""
    gathered: dict[tuple[str, str], list[str]] = {}
    for point in division.points:
        at = _at(point)
        for one in point.setting.cautions if point.setting else ():
            gathered.setdefault((one.code, one.text), []).append(f"the split{at}")
        for summary in point.finished:
            for one in summary.cautions:
                gathered.setdefault((one.code, one.text), []).append(f"{summary.model}{at}")
    return gathered


def _failures(division: Division) -> Sheet:
    rows = tuple(
        (
            Entry(summary.model + _at(point)),
            Entry(f"{summary.finished} of {summary.cells}"),
            Entry(summary.reason),
        )
        for point in division.points
        for summary in point.summaries
        if summary.finished < summary.cells
    )
    return Sheet("Not finished", ("model", "cells done", "reason"), rows)


def _at(point: Point) -> str:
    return "" if point.given is None else f" (s={point.given})"

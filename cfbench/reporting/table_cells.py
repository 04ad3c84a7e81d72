"""Figures as entries of tables: rounded as their contract says, with interval and mark, or why there is none."""

from __future__ import annotations

from cfbench.records.lines import Summary
from cfbench.records.record import Figure, figure_name
from cfbench.reporting.result_groups import Point, ResultGroup
from cfbench.reporting.table import Mark, TableCell

_NOT_MARKED = ("popularity bias", "beyond accuracy", "cost")
"""Families without a best: a random order has the least popularity bias and the most novelty, and pleases nobody."""


def model_entry(summary: Summary) -> TableCell:
    """Name the model, and how many of its cells the row rests on where some are missing."""
    partial = f" ({summary.finished} of {summary.cells} cells)" if 0 < summary.finished < summary.cells else ""
    return TableCell(summary.model + partial)


def figure_entry(division: ResultGroup, point: Point, summary: Summary, metric: str) -> TableCell:
    """Show a metric; "n/a" where the model cannot have it, "failed" where the metric failed."""
    figure = summary.metrics.get(metric)
    if figure is None:
        return TableCell("failed" if "failed" in summary.not_applicable.get(metric, "") else "n/a")
    marked = division.family(metric) not in _NOT_MARKED
    return number_entry(division, metric, figure, point.mark(metric, summary.model) if marked else "")


def stratum_entry(division: ResultGroup, point: Point, summary: Summary, metric: str, stratum: str) -> TableCell:
    """Show the figure that stands for a table in one stratum; a dagger where the model could not answer all of it."""
    row = summary.tables[metric].rows.get(stratum, {})
    key = shown_figure(division, metric, summary)
    if key not in row:
        return TableCell("-")
    coverage = row.get("prediction-coverage")
    entry = number_entry(division, metric, row[key], point.mark(figure_name(metric, stratum, key), summary.model))
    if entry.text == "-" or coverage is None or coverage.value is None or coverage.value >= 1:
        return entry
    return TableCell(f"{entry.text}†", entry.mark, entry.interval)


def shown_figure(division: ResultGroup, metric: str, summary: Summary) -> str:
    """Return the figure that stands for a table: the contract's, or its first; an empty text where it has none."""
    first_row = next(iter(summary.tables[metric].rows.values()), {})
    wanted = division.definitions.get(metric, {}).get("figure", "")
    return wanted if wanted in first_row else next(iter(first_row), "")


def number_entry(division: ResultGroup, metric: str, figure: Figure, mark: Mark = "") -> TableCell:
    """Write a figure with its interval; "-" where there was nothing to average."""
    if figure.value is None:
        return TableCell("-")
    text = division.number(metric, figure.value)
    if figure.low is None or figure.high is None:
        return TableCell(text, mark)
    low, high = (division.number(metric, end) for end in (figure.low, figure.high))
    return TableCell(text, mark, f"[{low}, {high}]")

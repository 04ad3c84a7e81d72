"""Figures as tidy CSV: one row per figure, nothing rounded, and no text that spreadsheets or terminals obey."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import StringIO

from cfbench.files.printable import printable_line
from cfbench.records.record import Comparison, Line, Summary

_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_files(lines: Iterable[Line]) -> dict[str, str]:
    """Return ``metrics.csv``, ``strata.csv``, ``comparisons.csv`` and ``cost.csv`` by file name."""
    lines = list(lines)
    summaries = [line for line in lines if isinstance(line, Summary)]
    hidden = ("schema_version", "kind", "n_given")
    comparisons = [
        {**{name: value for name, value in vars(line).items() if name not in hidden}, "n_given": line.n_given}
        for line in lines
        if isinstance(line, Comparison)
    ]
    strata = [
        {**_head(summary), "table": name, "stratum": stratum, "figure": key, **vars(figure)}
        for summary in summaries
        for name, table in summary.tables.items()
        for stratum, figures in table.rows.items()
        for key, figure in figures.items()
    ]
    cost = [
        {
            **_head(summary),
            **{f"{part}_seconds": value for part, value in summary.seconds.items()},
            **{f"{part}_cpu_seconds": value for part, value in summary.cpu_seconds.items()},
            "peak_memory_bytes": summary.peak_memory,
            "threads": summary.threads,
            "device": summary.device,
        }
        for summary in summaries
        if summary.finished
    ]
    return {
        "metrics.csv": csv_text(_metric_rows(summaries)),
        "strata.csv": csv_text(strata),
        "comparisons.csv": csv_text(comparisons),
        "cost.csv": csv_text(cost),
    }


def _head(summary: Summary) -> dict[str, object]:
    return {
        "dataset": summary.dataset,
        "split": summary.split,
        "n_given": summary.n_given,
        "model": summary.model,
        "distribution": summary.distribution,
        "version": summary.version,
    }


def _metric_rows(summaries: Sequence[Summary]) -> list[dict[str, object]]:
    rows = []
    for summary in summaries:
        for name, figure in summary.metrics.items():
            spread = {"seed_spread": summary.seed_spread.get(name), "fold_spread": summary.fold_spread.get(name)}
            rows.append({**_head(summary), "metric": name, **vars(figure), **spread, "note": ""})
        for name, one in summary.missing.items():
            rows.append({**_head(summary), "metric": name, "note": one.reason})
        if summary.finished < summary.cells:
            rows.append({**_head(summary), "note": summary.reason})
    return rows


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV, the columns in the order of their first appearance, text made inert."""
    buffer = StringIO()
    inert_rows = [{inert(name): inert(value) for name, value in row.items()} for row in rows]
    columns = dict.fromkeys(name for row in inert_rows for name in row)
    writer = csv.DictWriter(buffer, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(inert_rows)
    return buffer.getvalue()


def inert(value: object) -> object:
    """Return a cell of a CSV file with its text made inert; other values stay as they are.

    Text that a spreadsheet would take for a formula gets an apostrophe before it, unless it is a number; control
    characters, which a terminal would obey, become replacement characters.
    """
    if not isinstance(value, str):
        return value
    formula = value.lstrip(" ").startswith(_BEGIN_FORMULAS)
    with suppress(ValueError):
        float(value)
        formula = False
    return printable_line(f"'{value}" if formula else value)

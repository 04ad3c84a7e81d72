"""Figures as tidy CSV: one row per figure, nothing rounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

import pandas as pd

from cfbench.records.lines import Comparison, Line, Summary
from cfbench.reporting.spreadsheet import inert


def csv_files(lines: Iterable[Line]) -> dict[str, str]:
    """Render ``metrics.csv``, ``strata.csv``, ``comparisons.csv`` and ``cost.csv`` by file name."""
    lines = list(lines)
    summaries = [line for line in lines if isinstance(line, Summary)]
    return {
        "metrics.csv": csv_text(_metric_rows(summaries)),
        "strata.csv": csv_text(_strata_rows(summaries)),
        "comparisons.csv": csv_text(_comparison_rows(lines)),
        "cost.csv": csv_text(_cost_rows(summaries)),
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
        for name, why in summary.not_applicable.items():
            rows.append({**_head(summary), "metric": name, "note": why})
        if summary.finished < summary.cells:
            rows.append({**_head(summary), "note": summary.reason})
    return rows


def _strata_rows(summaries: Sequence[Summary]) -> list[dict[str, object]]:
    return [
        {**_head(summary), "table": name, "stratum": stratum, "figure": key, **vars(figure)}
        for summary in summaries
        for name, table in summary.tables.items()
        for stratum, figures in table.rows.items()
        for key, figure in figures.items()
    ]


def _comparison_rows(lines: Iterable[Line]) -> list[dict[str, object]]:
    hidden = ("schema_version", "kind")
    return [
        {name: value for name, value in vars(line).items() if name not in hidden}
        for line in lines
        if isinstance(line, Comparison)
    ]


def _cost_rows(summaries: Sequence[Summary]) -> list[dict[str, object]]:
    return [
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


def csv_text(rows: list[dict[str, object]]) -> str:
    """Render rows as CSV, the columns in the order of their first appearance, text made inert."""
    buffer = StringIO()
    frame = pd.DataFrame([{inert(name): inert(value) for name, value in row.items()} for row in rows])
    for counts in ("n", "n_given"):
        if counts in frame:
            frame[counts] = frame[counts].astype("Int64")  # whole numbers, also beside rows that have none
    frame.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()

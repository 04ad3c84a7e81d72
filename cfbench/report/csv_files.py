"""Figures as tidy CSV: one row per figure, nothing rounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

import pandas as pd

from cfbench.lines import Line, Summary


def csv_files(lines: Iterable[Line]) -> dict[str, str]:
    """Render ``metrics.csv``, ``strata.csv`` and ``cost.csv`` by file name."""
    summaries = [line for line in lines if isinstance(line, Summary)]
    return {
        "metrics.csv": _text(_metric_rows(summaries)),
        "strata.csv": _text(_strata_rows(summaries)),
        "cost.csv": _text(_cost_rows(summaries)),
    }


def _head(summary: Summary) -> dict[str, object]:
    return {
        "dataset": summary.dataset,
        "split": summary.split,
        "model": summary.model,
        "distribution": summary.distribution,
        "version": summary.version,
    }


def _metric_rows(summaries: Sequence[Summary]) -> list[dict[str, object]]:
    rows = []
    for summary in summaries:
        for name, figure in summary.metrics.items():
            spread = summary.seed_spread.get(name)
            rows.append({**_head(summary), "metric": name, **vars(figure), "seed_spread": spread, "note": ""})
        for name, why in summary.not_applicable.items():
            rows.append({**_head(summary), "metric": name, "note": why})
        if summary.finished < summary.cells:
            rows.append({**_head(summary), "note": summary.reason})
    return rows


def _strata_rows(summaries: Sequence[Summary]) -> list[dict[str, object]]:
    return [
        {**_head(summary), "table": name, "stratum": stratum, **figures}
        for summary in summaries
        for name, table in summary.tables.items()
        for stratum, figures in table.rows.items()
    ]


def _cost_rows(summaries: Sequence[Summary]) -> list[dict[str, object]]:
    return [
        {
            **_head(summary),
            **{f"{part}_seconds": value for part, value in summary.seconds.items()},
            **{f"{part}_cpu_seconds": value for part, value in summary.cpu_seconds.items()},
            "peak_memory_bytes": summary.peak_memory,
        }
        for summary in summaries
        if summary.finished
    ]


def _text(rows: list[dict[str, object]]) -> str:
    buffer = StringIO()
    frame = pd.DataFrame(rows)
    if "n" in frame:
        frame["n"] = frame["n"].astype("Int64")  # counts stay whole numbers beside rows that have none
    frame.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()

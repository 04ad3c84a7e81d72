"""Figures as tidy CSV: one row per figure, nothing rounded, and no text that spreadsheets or terminals obey."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from io import StringIO

from cfbench.files.printable import printable_line
from cfbench.records.record import Comparison, Line, Summary

_HEAD = ("dataset", "split", "n_given", "model", "distribution", "version")
_NOT_IN_COMPARISONS = ("schema_version", "kind", "n_given")
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_files(lines: Iterable[Line]) -> dict[str, str]:
    """Return ``metrics.csv``, ``strata.csv``, ``comparisons.csv`` and ``cost.csv`` by file name."""
    files: dict[str, list[Mapping[str, object]]]
    files = {f"{name}.csv": [] for name in ("metrics", "strata", "comparisons", "cost")}
    for line in lines:
        if isinstance(line, Comparison):
            fields = {name: value for name, value in vars(line).items() if name not in _NOT_IN_COMPARISONS}
            files["comparisons.csv"].append({**fields, "n_given": line.n_given})
        if isinstance(line, Summary):
            head = {name: getattr(line, name) for name in _HEAD}
            files["metrics.csv"] += [{**head, **row} for row in _metric_rows(line)]
            for table, content in line.tables.items():
                for stratum, figures in content.rows.items():
                    place = {**head, "table": table, "stratum": stratum}
                    files["strata.csv"] += [{**place, "figure": name, **vars(one)} for name, one in figures.items()]
            if line.finished:
                seconds = {f"{part}_seconds": value for part, value in line.seconds.items()}
                cpu_seconds = {f"{part}_cpu_seconds": value for part, value in line.cpu_seconds.items()}
                rest = {"peak_memory_bytes": line.peak_memory, "threads": line.threads, "device": line.device}
                files["cost.csv"].append({**head, **seconds, **cpu_seconds, **rest})
    return {name: csv_text(rows) for name, rows in files.items()}


def _metric_rows(summary: Summary) -> Iterator[dict[str, object]]:
    for name, figure in summary.metrics.items():
        spread = {"seed_spread": summary.seed_spread.get(name), "fold_spread": summary.fold_spread.get(name)}
        yield {"metric": name, **vars(figure), **spread, "note": ""}
    for name, one in summary.missing.items():
        yield {"metric": name, "note": one.reason}
    if summary.finished < summary.cells:
        yield {"note": summary.reason}


def csv_text(rows: Iterable[Mapping[str, object]], columns: Iterable[str] = ()) -> str:
    """Return rows as CSV, text made inert; ``columns`` first, others in the order of their first appearance."""
    buffer = StringIO()
    inert_rows = [{inert(name): inert(value) for name, value in row.items()} for row in rows]
    names = dict.fromkeys([*map(inert, columns), *(name for row in inert_rows for name in row)])
    writer = csv.DictWriter(buffer, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(inert_rows)
    return buffer.getvalue()


def inert(value: object) -> object:
    """Return a cell of a CSV file with its text made inert; other values stay as they are.

    Text that a spreadsheet would take for a formula gets an apostrophe before it, unless it is a number; control
    characters, which a terminal would obey, become replacement characters.
    """
    return _inert_text(value) if isinstance(value, str) else value


@lru_cache(maxsize=10_000)  # names of columns, models and metrics come in every row
def _inert_text(text: str) -> str:
    formula = text.lstrip(" ").startswith(_BEGIN_FORMULAS)
    with suppress(ValueError):
        float(text)
        formula = False
    return printable_line(f"'{text}" if formula else text)

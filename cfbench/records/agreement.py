"""Agreement of the lines of ``records.jsonl``, which nothing seals, with the sealed records of cells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cfbench.errors import StoreError
from cfbench.records.record import Figure, Line, Record, Summary
from cfbench.records.store import RunFolder

_ROUNDING = 1e-9  # relative, of means that were summed in another order
_REMEDY = "it was edited, or a later run was cut off; the same `cfbench run` writes what the cells hold"


def disagreements(folder: RunFolder, lines: Sequence[tuple[int, Line]]) -> Iterator[str]:
    """Yield a message for each line, given with its number, that says other than the records of its cells.

    Records are held against those in ``cells/``, where these are there; the figures of a summary, intervals and strata
    apart, against the mean of its records.
    """
    records: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for number, line in lines:
        if not isinstance(line, Record):
            continue
        try:
            sealed = folder.sealed_record(line.cell)
        except StoreError as error:
            yield f"{folder.records_path}, line {number}: {error}"
            sealed = None
        name = f"{folder.records_path}, line {number} ({line.cell})"
        if sealed is not None and (what := _difference(line, sealed)):
            yield f"{name}: {what} is not that of the sealed record in cells/{line.cell.key}.json: {_REMEDY}"
        records[line.cell.group, line.cell.model].append(sealed or line)
    for number, line in lines:
        if isinstance(line, Summary) and (of_model := records[line.group, line.model]):
            done = [record for record in of_model if record.status == "ok"]
            what = "the number of finished cells" if len(done) != line.finished else _odd_mean(line, done)
            if what:
                name = f"{line.model} on {line.dataset}, {line.split}"
                place = f"{folder.records_path}, line {number} (summary of {name})"
                yield f"{place}: {what} is not that of its cells: {_REMEDY}"


def _difference(line: Record, sealed: Record) -> str:
    """Return what differs from the sealed record, empty for nothing; each may lack what was not measured."""
    if line.status != sealed.status:
        return "the status"
    for name, figure in line.metrics.items():
        if figure != sealed.metrics.get(name, figure):
            return name
    for name, table in line.tables.items():
        if table != sealed.tables.get(name, table):
            return name
    return "the cost" if line.cost != sealed.cost else ""


def _odd_mean(line: Summary, done: Sequence[Record]) -> str:
    """Return what in a summary is not the mean of its finished cells, empty for nothing."""
    for name, figure in line.metrics.items():
        values = [record.metrics.get(name, Figure(None)).value for record in done]
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if known and len(known) == len(values) else None
        if (figure.value is None) != (mean is None) or not _close(figure.value, mean):
            return name
    parts: Sequence[tuple[Mapping[str, float], list[Mapping[str, float]]]] = (
        (line.seconds, [record.cost.seconds for record in done]),
        (line.cpu_seconds, [record.cost.cpu_seconds for record in done]),
    )
    for means, of_cells in parts:
        for part, mean in means.items():
            if not _close(mean, sum(one.get(part, 0.0) for one in of_cells) / max(1, len(of_cells))):
                return f"the time of {part}"
    peak = max((record.cost.peak_memory for record in done), default=0)
    return "the peak of memory" if line.peak_memory != peak else ""


def _close(one: float | None, other: float | None) -> bool:
    return one is None or other is None or math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=1e-12)

"""A table for each family of metrics, those of plugins included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cfbench.evaluation.metrics.metric import family_rank
from cfbench.records.record import Figure
from cfbench.reporting.notes import BETTER
from cfbench.reporting.result_groups import Point, ResultGroup
from cfbench.reporting.table import Table, TableCell
from cfbench.reporting.table_cells import figure_entry, model_entry, shown_figure, stratum_entry


def family_tables(division: ResultGroup) -> Iterator[Table]:
    """Make, family by family, a sheet of its metrics and one of each of its tables."""
    families = dict.fromkeys(division.family(name) for name in division.definitions)
    for family in sorted(families, key=family_rank):
        yield _metrics(division, family)
        yield from _tables(division, family)


def _metrics(division: ResultGroup, family: str) -> Table:
    point, names = division.points[0], division.metrics(family)
    rows = tuple(
        (model_entry(summary), *(figure_entry(division, point, summary, name) for name in names))
        for summary in point.finished
    )
    notes = tuple(_title(division, name) for name in names)
    return Table(family.capitalize() or "Other metrics", ("model", *names), rows, notes)


def _title(division: ResultGroup, metric: str) -> str:
    contract = division.definitions[metric]
    better = BETTER.get(contract.get("direction", ""))
    return f"{metric}: {contract.get('title', '')}" + (f" ({better})." if better else ".")


def _tables(division: ResultGroup, family: str) -> Iterator[Table]:
    for name in division.definitions:
        if division.family(name) == family:
            yield from _table(division, division.points[0], name)


def _table(division: ResultGroup, point: Point, name: str) -> Iterator[Table]:
    having = [summary for summary in point.finished if name in summary.tables]
    if not having:
        return
    table = having[0].tables[name]
    rows = tuple(
        (model_entry(summary), *(stratum_entry(division, point, summary, name, stratum) for stratum in table.rows))
        for summary in having
    )
    columns = ("model", *(_with_count(stratum, row) for stratum, row in table.rows.items()))
    notes = (_title(division, name), *_dagger(rows), *_facts(table.facts))
    yield Table(f"{name}: {shown_figure(division, name, having[0])}", columns, rows, notes)


def _with_count(stratum: str, row: Mapping[str, Figure]) -> str:
    """Head a column with its stratum and, where it is known, the number of test ratings in it."""
    return f"{stratum} (n={row['n'].value or 0:,.0f})" if "n" in row else stratum


def _dagger(rows: Sequence[Sequence[TableCell]]) -> Iterator[str]:
    if any("†" in entry.text for row in rows for entry in row[1:]):
        yield "†: the model could not answer all of these; the training mean stood in."


def _facts(facts: Mapping[str, float | None]) -> Iterator[str]:
    told = [f"{fact}: {value:.4g}" for fact, value in facts.items() if value is not None]
    if told:
        yield "; ".join(told) + "."

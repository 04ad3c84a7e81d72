"""A table for each metric of a curve: what a model gains from every rating that it is given of a new user or item."""

from __future__ import annotations

from collections.abc import Iterator

from cfbench.records.lines import Summary
from cfbench.reporting.result_groups import JUDGED, Point, ResultGroup
from cfbench.reporting.table import Table, TableCell
from cfbench.reporting.table_cells import figure_entry, model_entry

_NOTE = (
    "s: ratings of each held-out user or item that training was given; the test rows are the same at every s, and what "
    "is given at a larger s contains what is given at a smaller one. Bold (*) and ≈ compare models at the same s, "
    "brackets are 95 % intervals, both by resampling users. Which users or items were held out is another matter of "
    "chance, and moves a whole curve: another --seed draws others."
)


def curve_tables(division: ResultGroup) -> Iterator[Table]:
    """Make a sheet for each metric of accuracy and ranking, one column per number of ratings given back."""
    for place, metric in enumerate(division.metrics(*JUDGED)):
        models = dict.fromkeys(summary.model for point in division.points for summary in point.summaries)
        rows = tuple(_row(division, metric, model) for model in models)
        known = tuple(row for row in rows if any(entry.text not in ("n/a", "-") for entry in row[1:]))
        columns = ("model", *(f"s={point.n_given}" for point in division.points))
        notes = (_NOTE,) if place == 0 else ()
        yield Table(f"{metric} against ratings given back", columns, known, notes, on_terminal="full")


def _row(division: ResultGroup, metric: str, model: str) -> tuple[TableCell, ...]:
    found = [(point, _of_model(point, model)) for point in division.points]
    name = next((model_entry(summary) for _, summary in found if summary is not None), TableCell(model))
    return (
        name,
        *(
            TableCell("-") if summary is None else figure_entry(division, point, summary, metric)
            for point, summary in found
        ),
    )


def _of_model(point: Point, model: str) -> Summary | None:
    return next((summary for summary in point.finished if summary.model == model), None)

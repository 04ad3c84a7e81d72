"""Tables of a result group: overview, families of metrics, curves, comparisons, spreads, warnings and failures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cfbench.evaluation.metrics.metric import family_rank
from cfbench.records.record import Figure, Standing, Summary, figure_name
from cfbench.reporting.result_groups import COMPARED, Point, ResultGroup, without_parameter
from cfbench.reporting.table import BETTER, Column, Mark, Table, TableCell

_NOT_MARKED = ("popularity bias", "beyond accuracy", "cost")
"""Families without a best: a random order has the least popularity bias and the most novelty, and is useless."""

_MODEL = Column("model", "text")

_OVERVIEW = ("RMSE", "prediction-coverage", "cold-users", "cold-items", "NDCG", "ARP", "coverage")
_OVERVIEW_INTERVALS = ("RMSE", "NDCG")
_NEW_ENTITIES = {"cold-users": "RMSE, new users", "cold-items": "RMSE, new items"}
_NEW = "0"  # the stratum without any training rating
_OVERVIEW_NOTE = (
    "Bold (*): best value. ≈: not told apart from the best (p >= 0.05 for no difference, by resampling users in pairs, "
    "corrected after Holm for all pairs of the column). Brackets: 95 % interval, resampling users. "
    "New: without any training rating. †: the model could not answer all of these; the training mean stood in."
)
_CURVE_NOTE = (
    "s: ratings of each held-out user or item that training was given; the test rows are the same at every s, and what "
    "is given at a larger s contains what is given at a smaller one. Bold (*) and ≈ compare models at the same s, "
    "brackets are 95 % intervals, both by resampling users. Which users or items were held out is another matter of "
    "chance, and moves a whole curve: another --seed draws others."
)
_COMPARISON_NOTE = (
    "Difference: model minus best, with its 95 % interval by resampling users in pairs. p: of no difference, by "
    "Student's t with the spread of the same resamples. Wilcoxon: signed-rank test on the values of single users, a "
    "question about the typical user rather than the mean. Both are corrected after Holm for all pairs of the metric."
)


def tables_of(group: ResultGroup) -> list[Table]:
    """Return all tables of a group that have rows: curves where the split is one, families of metrics elsewhere."""
    tables = [*_curves(group)] if group.is_curve else [_overview(group), *_families(group), _against_best(group)]
    tables += [
        _spread(group, "seed_spread", "Spread over fits", "fits with different seeds on the same rows"),
        _spread(group, "fold_spread", "Spread over folds", "folds"),
        _warnings(group),
        _failures(group),
    ]
    return [table for table in tables if len(table.columns) > 1 and table.rows]


def standing_table(standing: Standing) -> Table:
    """Return the table of mean ranks over data sets."""
    rows = tuple((TableCell(model), TableCell(f"{rank:.2f}")) for model, rank in standing.mean_ranks.items())
    note = (
        f"Mean rank in {standing.metric} over {len(standing.datasets)} data sets ({', '.join(standing.datasets)}), 1 = "
        f"best. Friedman's test that all models are alike: p = {standing.p:.3g}. Mean ranks that differ by less than "
        f"{standing.critical_difference:.2f} are not told apart (Nemenyi, 5 %)."
    )
    title = f"{standing.metric} over data sets, {standing.split}"
    return Table(title, (_MODEL, Column("mean rank")), rows, (note,), on_terminal="full")


def _overview(group: ResultGroup) -> Table:
    """Return the figures that most readers look for first; what was not measured is left out."""
    point = group.points[0]
    measured = group.metrics(*{group.family(name) for name in group.definitions})
    columns = {_MODEL: [_model_cell(one) for one in point.finished]}
    for wanted in _OVERVIEW:
        if wanted in _NEW_ENTITIES:
            if any(_NEW in one.tables[wanted].rows for one in point.finished if wanted in one.tables):
                cells = [_stratum_cell(group, point, one, wanted, _NEW) for one in point.finished]
                columns[Column(_NEW_ENTITIES[wanted])] = [replace(cell, interval="") for cell in cells]
            continue
        for metric in measured:
            if without_parameter(metric) == wanted:
                cells = [_figure_cell(group, point, one, metric) for one in point.finished]
                if wanted not in _OVERVIEW_INTERVALS:
                    cells = [replace(cell, interval="") for cell in cells]
                columns[group.column(metric)] = cells
    columns[Column("plugin", "origin")] = [TableCell(f"{one.distribution} {one.version}") for one in point.finished]
    rows = tuple(zip(*columns.values(), strict=True))
    return Table("Overview", tuple(columns), rows, (_OVERVIEW_NOTE,), on_terminal="full")


def _families(group: ResultGroup) -> Iterator[Table]:
    """Yield, family by family, a table of its metrics and one of each of its strata tables."""
    point = group.points[0]
    for family in sorted(dict.fromkeys(map(group.family, group.definitions)), key=family_rank):
        names = group.metrics(family)
        rows = tuple(
            (_model_cell(one), *(_figure_cell(group, point, one, name) for name in names)) for one in point.finished
        )
        columns = (_MODEL, *map(group.column, names))
        notes = tuple(_metric_note(group, name) for name in names)
        yield Table(family.capitalize() or "Other metrics", columns, rows, notes)
        for name in group.definitions:
            having = [one for one in point.finished if name in one.tables]
            if group.family(name) == family and having:
                yield _strata(group, point, name, having)


def _metric_note(group: ResultGroup, metric: str) -> str:
    better = BETTER.get(group.column(metric).direction)
    return f"{metric}: {group.definitions[metric].get('title', '')}" + (f" ({better})." if better else ".")


def _strata(group: ResultGroup, point: Point, name: str, having: list[Summary]) -> Table:
    """Return the table of one metric by strata, a column each, with the number of test ratings where it is known."""
    table = having[0].tables[name]
    rows = tuple(
        (_model_cell(one), *(_stratum_cell(group, point, one, name, stratum) for stratum in table.rows))
        for one in having
    )
    titles = [
        f"{stratum} (n={row['n'].value or 0:,.0f})" if "n" in row else stratum for stratum, row in table.rows.items()
    ]
    notes = [_metric_note(group, name)]
    if any("†" in cell.text for row in rows for cell in row[1:]):
        notes.append("†: the model could not answer all of these; the training mean stood in.")
    facts = [f"{fact}: {value:.4g}" for fact, value in table.facts.items() if value is not None]
    if facts:
        notes.append("; ".join(facts) + ".")
    columns = (_MODEL, *(Column(title, direction=group.column(name).direction) for title in titles))
    return Table(f"{name}: {_shown_figure(group, name, having[0])}", columns, rows, tuple(notes))


def _against_best(group: ResultGroup) -> Table:
    """Return the paired comparisons in the metrics of accuracy and ranking."""
    columns = (
        *(Column(title, "text") for title in ("model", "metric", "best")),
        *map(Column, ("difference", "p", "Wilcoxon p")),
    )
    rows = []
    for metric in group.metrics(*COMPARED):
        for (name, _), one in group.points[0].comparisons.items():
            if name == metric:
                interval = "" if one.low is None or one.high is None else f"[{one.low:+.4f}, {one.high:+.4f}]"
                p_values = [
                    "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
                    for p in (one.p_corrected, one.wilcoxon_corrected)
                ]
                difference = TableCell(f"{one.difference:+.4f}", interval=interval)
                rows.append((*map(TableCell, (one.model, metric, one.best)), difference, *map(TableCell, p_values)))
    return Table("Against the best", columns, tuple(rows), (_COMPARISON_NOTE,), on_terminal="no")


def _curves(group: ResultGroup) -> Iterator[Table]:
    """Yield a table for each metric of accuracy and ranking, one column per number of known ratings."""
    models = dict.fromkeys(one.model for point in group.points for one in point.summaries)
    for number, metric in enumerate(group.metrics(*COMPARED)):
        direction = group.column(metric).direction
        columns = (_MODEL, *(Column(f"s={point.n_given}", direction=direction) for point in group.points))
        rows = []
        for model in models:
            found = [next((one for one in point.finished if one.model == model), None) for point in group.points]
            cells = [
                TableCell("-") if one is None else _figure_cell(group, point, one, metric)
                for point, one in zip(group.points, found, strict=True)
            ]
            if any(cell.text not in ("n/a", "-") for cell in cells):
                name = next(_model_cell(one) for one in found if one is not None)
                rows.append((name, *cells))
        notes = (_CURVE_NOTE,) if number == 0 else ()
        yield Table(f"{metric} against ratings given back", columns, tuple(rows), notes, on_terminal="full")


def _spread(group: ResultGroup, attribute: str, title: str, over: str) -> Table:
    names = group.metrics(*COMPARED)
    rows = []
    for summary in group.points[0].finished:
        spread = getattr(summary, attribute)
        if spread:
            texts = [group.number(name, spread[name]) if name in spread else "-" for name in names]
            rows.append((_model_cell(summary), *map(TableCell, texts)))
    note = f"Standard deviation over {over}; it is no part of the intervals, which are about users."
    return Table(title, (_MODEL, *map(group.column, names)), tuple(rows), (note,), on_terminal="no")


def _warnings(group: ResultGroup) -> Table:
    """Return each warning once, with the split or the models that it is about, and at which points of a curve."""
    about: dict[tuple[str, str], list[str]] = {}
    for point in group.points:
        at = _at(point)
        for one in point.conditions.warnings if point.conditions else ():
            about.setdefault((one.code, one.text), []).append(f"the split{at}")
        for summary in point.finished:
            for one in summary.warnings:
                about.setdefault((one.code, one.text), []).append(f"{summary.model}{at}")
    rows = [map(TableCell, (", ".join(places), code, text)) for (code, text), places in about.items()]
    columns = tuple(Column(title, "text") for title in ("where", "check", "reason"))
    return Table("Warnings", columns, tuple(map(tuple, rows)))


def _failures(group: ResultGroup) -> Table:
    rows = [
        map(TableCell, (f"{one.model}{_at(point)}", f"{one.finished} of {one.cells}", one.reason))
        for point in group.points
        for one in point.summaries
        if one.finished < one.cells
    ]
    columns = (_MODEL, Column("cells done"), Column("reason", "text"))
    return Table("Not finished", columns, tuple(map(tuple, rows)))


def _at(point: Point) -> str:
    return "" if point.n_given is None else f" (s={point.n_given})"


def _model_cell(summary: Summary) -> TableCell:
    """Name the model, and how many of its cells the row rests on where some are missing."""
    partial = f" ({summary.finished} of {summary.cells} cells)" if 0 < summary.finished < summary.cells else ""
    return TableCell(summary.model + partial)


def _figure_cell(group: ResultGroup, point: Point, summary: Summary, metric: str) -> TableCell:
    """Show a metric; "n/a" where the model cannot have it, "failed" where the metric failed."""
    figure = summary.metrics.get(metric)
    if figure is None:
        missing = summary.missing.get(metric)
        return TableCell("failed" if missing is not None and missing.status == "failed" else "n/a")
    marked = group.family(metric) not in _NOT_MARKED
    return _number_cell(group, metric, figure, point.mark(metric, summary.model) if marked else "")


def _stratum_cell(group: ResultGroup, point: Point, summary: Summary, metric: str, stratum: str) -> TableCell:
    """Show a metric in one stratum; a dagger where the model could not predict all of it."""
    if metric not in summary.tables:
        return TableCell("n/a")
    row = summary.tables[metric].rows.get(stratum, {})
    key = _shown_figure(group, metric, summary)
    if key not in row:
        return TableCell("-")
    cell = _number_cell(group, metric, row[key], point.mark(figure_name(metric, stratum, key), summary.model))
    coverage = row.get("prediction-coverage", Figure(None)).value
    if cell.text == "-" or coverage is None or coverage >= 1:
        return cell
    return replace(cell, text=f"{cell.text}†")


def _shown_figure(group: ResultGroup, metric: str, summary: Summary) -> str:
    """Return the figure that stands for a strata table: the contract's, or its first; empty where it has none."""
    first_row: Iterable[str] = next(iter(summary.tables[metric].rows.values()), {})
    wanted = group.definitions.get(metric, {}).get("figure", "")
    return wanted if wanted in first_row else next(iter(first_row), "")


def _number_cell(group: ResultGroup, metric: str, figure: Figure, mark: Mark) -> TableCell:
    """Show a figure with its interval; "-" where there was nothing to average."""
    if figure.value is None:
        return TableCell("-")
    text = group.number(metric, figure.value)
    if figure.low is None or figure.high is None:
        return TableCell(text, mark)
    return TableCell(text, mark, f"[{group.number(metric, figure.low)}, {group.number(metric, figure.high)}]")

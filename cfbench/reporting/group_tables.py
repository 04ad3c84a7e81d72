"""Tables of a run: its lines by data set and split, and the tables that each such group has, the overview first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from cfbench.evaluation.metrics.metric import family_rank
from cfbench.records.cell import GroupKey
from cfbench.records.record import Comparison, Definition, Figure, Line, RunConditions, Standing, Summary, figure_name
from cfbench.reporting.table import BETTER, Column, Mark, Table, TableCell

COMPARED = ("accuracy", "ranking")
"""Families of metrics by which models are compared: drawn as curves, tested against the best, shown with spreads."""

_DISPLAY = ".4f"
_PLAIN_DISPLAY = re.compile(r"[+,]{0,2}(\.\d{1,2})?[fge%]")  # a width of a million would fill pages

_NOT_MARKED = ("popularity bias", "beyond accuracy", "cost")
"""Families without a best: a random order has the least popularity bias and the most novelty, and is useless."""

_MODEL = Column("model", "text")

_OVERVIEW = ("RMSE", "prediction-coverage", "cold-users", "cold-items", "NDCG", "ARP", "coverage")
"""Columns of the overview between the model and its plugin: metrics, of strata tables the stratum of the new.

One for each question: errors of ratings, holes, new users, new items, rankings, popularity bias, variety.
"""

_OVERVIEW_INTERVALS = ("RMSE", "NDCG")  # the main figure of each task; more brackets would make it too wide to read
_NEW_ENTITIES = {"cold-users": "RMSE, new users", "cold-items": "RMSE, new items"}
_NEW = "0"  # the stratum without any training rating
_DAGGER_NOTE = "†: the model could not answer all of these; the training mean stood in."
_OVERVIEW_NOTE = (
    "Bold (*): best value. ≈: not told apart from the best (p >= 0.05 for no difference, by resampling users in pairs, "
    "corrected after Holm for all pairs of the column). Brackets: 95 % interval, resampling users. "
    f"New: without any training rating. {_DAGGER_NOTE}"
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


@dataclass(frozen=True)
class Point:
    """All models on one data set under one split; of a curve, at one number of known ratings.

    Attributes:
        n_given: known ratings of every held-out user or item, or None where the split is no curve.
        summaries: one per model, best RMSE first, rankers after, failures last.
        comparisons: against the best, by figure and model.
        conditions: the conditions of the comparison, if they were recorded.
    """

    n_given: int | None
    summaries: tuple[Summary, ...]
    comparisons: Mapping[tuple[str, str], Comparison]
    conditions: RunConditions | None

    @property
    def with_figures(self) -> list[Summary]:
        """The summaries of models with at least one finished cell."""
        return [summary for summary in self.summaries if summary.finished]

    def mark(self, figure: str, model: str) -> Mark:
        """Return whether ``model`` is the best in ``figure`` or tied with it."""
        pairs = [one for (name, _), one in self.comparisons.items() if name == figure]
        if all(one.equal for one in pairs):
            return ""  # where all are the same, none is best
        comparison = self.comparisons.get((figure, model))
        if comparison is not None:
            return "best" if comparison.equal else "tie" if comparison.tied else ""
        return "best" if any(one.best == model for one in pairs) else ""


@dataclass(frozen=True)
class SplitResults:
    """Results on one data set under one splitter: one point, or those of a curve.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        points: one, or those of a curve by known ratings.
        definitions: the contract of every metric, by its name, in the order measured.
    """

    dataset: str
    split: str
    points: tuple[Point, ...]
    definitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def conditions(self) -> list[RunConditions]:
        """The conditions of the points, where they were recorded."""
        return [point.conditions for point in self.points if point.conditions is not None]

    @property
    def is_curve(self) -> bool:
        """Whether the points are those of a curve."""
        return self.points[0].n_given is not None

    def family(self, metric: str) -> str:
        """Return the family that a metric belongs to, or an empty text."""
        return self.definitions.get(metric, {}).get("family", "")

    def metrics(self, *families: str) -> list[str]:
        """Return the metrics of these families, or of all, that some model has a figure of, or that failed."""
        shown: set[str] = set()
        for summary in (summary for point in self.points for summary in point.with_figures):
            shown |= {*summary.metrics, *(name for name, one in summary.missing.items() if one.status == "failed")}
        wanted = [name for name in self.definitions if not families or self.family(name) in families]
        return [name for name in wanted if name in shown]

    def column(self, metric: str) -> Column:
        """Return the column of a metric, with the direction that its contract states."""
        match self.definitions.get(metric, {}).get("direction"):
            case "lower" | "higher" as direction:
                return Column(metric, direction=direction)
        return Column(metric)

    def number(self, metric: str, value: float) -> str:
        """Write a value as its metric's contract wants it shown; as ``.4f`` where that is no plain format."""
        display = self.definitions.get(metric, {}).get("display", _DISPLAY)
        return format(value, display if _PLAIN_DISPLAY.fullmatch(display) else _DISPLAY)


def result_groups(lines: Iterable[Line]) -> list[SplitResults]:
    """Return the lines of a run grouped by data set and split, in their order."""
    lines = list(lines)
    definitions = {line.metric: line.contract for line in lines if isinstance(line, Definition)}
    # One pass over the lines: a run of many data sets has thousands of comparisons.
    summaries: dict[tuple[str, str], dict[int | None, list[Summary]]] = defaultdict(lambda: defaultdict(list))
    comparisons: dict[GroupKey, dict[tuple[str, str], Comparison]] = defaultdict(dict)
    conditions: dict[GroupKey, RunConditions] = {}
    for line in lines:
        match line:
            case Summary():
                summaries[line.dataset, line.split][line.n_given].append(line)
            case Comparison():
                comparisons[line.group][line.metric, line.model] = line
            case RunConditions():
                conditions.setdefault(line.group, line)
    groups = []
    for (dataset, split), of_group in summaries.items():
        points = []
        for n_given, rows in of_group.items():
            key = (dataset, split, n_given)
            points.append(Point(n_given, tuple(sorted(rows, key=_rank)), comparisons[key], conditions.get(key)))
        groups.append(SplitResults(dataset, split, tuple(points), definitions))
    return groups


def standings(lines: Iterable[Line]) -> list[Standing]:
    """Return the ranks over data sets that are shown and drawn: in RMSE and NDCG; the rest is in the records."""
    return [line for line in lines if isinstance(line, Standing) and without_parameter(line.metric) in ("RMSE", "NDCG")]


def without_parameter(metric: str) -> str:
    """Return the metric's name without its cut-off: ``NDCG`` of ``NDCG@10``."""
    return metric.partition("@")[0]


def _rank(summary: Summary) -> tuple[bool, float, float]:
    """Sort key of rows: finished before failed, lower RMSE, then higher NDCG."""
    values = {without_parameter(name): figure.value for name, figure in summary.metrics.items()}
    rmse, ndcg = values.get("RMSE"), values.get("NDCG")
    return (summary.finished == 0, float("inf") if rmse is None else rmse, -(ndcg or 0.0))


def tables_of(group: SplitResults) -> list[Table]:
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


def _overview(group: SplitResults) -> Table:
    """Return the figures that most readers look for first; what was not measured is left out."""
    point, models = group.points[0], group.points[0].with_figures
    columns = {_MODEL: [_model_cell(one) for one in models]}
    for wanted in _OVERVIEW:
        if wanted in _NEW_ENTITIES:
            if any(wanted in one.tables and _NEW in one.tables[wanted].rows for one in models):
                cells = [_stratum_cell(group, point, one, wanted, _NEW) for one in models]
                columns[Column(_NEW_ENTITIES[wanted])] = [replace(cell, interval="") for cell in cells]
            continue
        for metric in group.metrics():
            if without_parameter(metric) == wanted:
                cells = [_figure_cell(group, point, one, metric) for one in models]
                kept = wanted in _OVERVIEW_INTERVALS
                columns[group.column(metric)] = cells if kept else [replace(cell, interval="") for cell in cells]
    columns[Column("plugin", "origin")] = [TableCell(f"{one.distribution} {one.version}") for one in models]
    rows = tuple(zip(*columns.values(), strict=True))
    return Table("Overview", tuple(columns), rows, (_OVERVIEW_NOTE,), on_terminal="full")


def _families(group: SplitResults) -> Iterator[Table]:
    """Yield, family by family, a table of its metrics and one of each of its strata tables."""
    point = group.points[0]
    for family in sorted(dict.fromkeys(map(group.family, group.definitions)), key=family_rank):
        names = group.metrics(family)
        rows = tuple(
            (_model_cell(one), *(_figure_cell(group, point, one, name) for name in names)) for one in point.with_figures
        )
        columns = (_MODEL, *map(group.column, names))
        notes = tuple(_metric_note(group, name) for name in names)
        yield Table(family.capitalize() or "Other metrics", columns, rows, notes)
        for name in group.definitions:
            having = [one for one in point.with_figures if name in one.tables]
            if group.family(name) == family and having:
                yield _strata(group, point, name, having)


def _metric_note(group: SplitResults, metric: str) -> str:
    better = BETTER.get(group.column(metric).direction)
    return f"{metric}: {group.definitions[metric].get('title', '')}" + (f" ({better})." if better else ".")


def _strata(group: SplitResults, point: Point, name: str, having: list[Summary]) -> Table:
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
        notes.append(_DAGGER_NOTE)
    facts = [f"{fact}: {value:.4g}" for fact, value in table.facts.items() if value is not None]
    if facts:
        notes.append("; ".join(facts) + ".")
    columns = (_MODEL, *(Column(title, direction=group.column(name).direction) for title in titles))
    return Table(f"{name}: {_shown_figure(group, name, having[0])}", columns, rows, tuple(notes))


def _against_best(group: SplitResults) -> Table:
    """Return the paired comparisons in the metrics of accuracy and ranking."""
    columns = (
        _MODEL,
        Column("metric", "text"),
        Column("best", "text"),
        *map(Column, ("difference", "p", "Wilcoxon p")),
    )
    rows = []
    for metric in group.metrics(*COMPARED):
        for (name, _), one in group.points[0].comparisons.items():
            if name == metric:
                interval = "" if one.low is None or one.high is None else f"[{one.low:+.4f}, {one.high:+.4f}]"
                difference = TableCell(f"{one.difference:+.4f}", interval=interval)
                p_values = [
                    TableCell("-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}")
                    for p in (one.p_corrected, one.wilcoxon_corrected)
                ]
                rows.append((*map(TableCell, (one.model, metric, one.best)), difference, *p_values))
    return Table("Against the best", columns, tuple(rows), (_COMPARISON_NOTE,), on_terminal="no")


def _curves(group: SplitResults) -> Iterator[Table]:
    """Yield a table for each metric of accuracy and ranking, one column per number of known ratings."""
    models = dict.fromkeys(one.model for point in group.points for one in point.summaries)
    for number, metric in enumerate(group.metrics(*COMPARED)):
        direction = group.column(metric).direction
        columns = (_MODEL, *(Column(f"s={point.n_given}", direction=direction) for point in group.points))
        rows = []
        for model in models:
            found = [next((one for one in point.with_figures if one.model == model), None) for point in group.points]
            cells = [
                TableCell("-") if one is None else _figure_cell(group, point, one, metric)
                for point, one in zip(group.points, found, strict=True)
            ]
            if any(cell.text not in ("n/a", "-") for cell in cells):
                rows.append((_model_cell(next(filter(None, found))), *cells))
        notes = (_CURVE_NOTE,) if number == 0 else ()
        yield Table(f"{metric} against ratings given back", columns, tuple(rows), notes, on_terminal="full")


def _spread(group: SplitResults, attribute: str, title: str, over: str) -> Table:
    names = group.metrics(*COMPARED)
    rows = [
        (_model_cell(one), *(TableCell(group.number(name, spread[name]) if name in spread else "-") for name in names))
        for one in group.points[0].with_figures
        if (spread := getattr(one, attribute))
    ]
    note = f"Standard deviation over {over}; it is no part of the intervals, which are about users."
    return Table(title, (_MODEL, *map(group.column, names)), tuple(rows), (note,), on_terminal="no")


def _warnings(group: SplitResults) -> Table:
    """Return each warning once, with the split or the models that it is about, and at which points of a curve."""
    about: dict[tuple[str, str], list[str]] = defaultdict(list)
    for point in group.points:
        sources = {"the split": point.conditions.warnings if point.conditions else ()}
        for name, warnings in [*sources.items(), *((one.model, one.warnings) for one in point.with_figures)]:
            for one in warnings:
                about[one.code, one.text].append(f"{name}{_at(point)}")
    rows = [tuple(map(TableCell, (", ".join(places), code, text))) for (code, text), places in about.items()]
    return Table("Warnings", tuple(Column(title, "text") for title in ("where", "check", "reason")), tuple(rows))


def _failures(group: SplitResults) -> Table:
    rows = [
        tuple(map(TableCell, (f"{one.model}{_at(point)}", f"{one.finished} of {one.cells}", one.reason)))
        for point in group.points
        for one in point.summaries
        if one.finished < one.cells
    ]
    return Table("Not finished", (_MODEL, Column("cells done"), Column("reason", "text")), tuple(rows))


def _at(point: Point) -> str:
    return "" if point.n_given is None else f" (s={point.n_given})"


def _model_cell(summary: Summary) -> TableCell:
    """Name the model, and how many of its cells the row rests on where some are missing."""
    partial = f" ({summary.finished} of {summary.cells} cells)" if 0 < summary.finished < summary.cells else ""
    return TableCell(summary.model + partial)


def _figure_cell(group: SplitResults, point: Point, summary: Summary, metric: str) -> TableCell:
    """Show a metric; "n/a" where the model cannot have it, "failed" where the metric failed."""
    figure = summary.metrics.get(metric)
    if figure is None:
        missing = summary.missing.get(metric)
        return TableCell("failed" if missing is not None and missing.status == "failed" else "n/a")
    marked = group.family(metric) not in _NOT_MARKED
    return _number_cell(group, metric, figure, point.mark(metric, summary.model) if marked else "")


def _stratum_cell(group: SplitResults, point: Point, summary: Summary, metric: str, stratum: str) -> TableCell:
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


def _shown_figure(group: SplitResults, metric: str, summary: Summary) -> str:
    """Return the figure that stands for a strata table: the contract's, or its first; empty where it has none."""
    first_row: Iterable[str] = next(iter(summary.tables[metric].rows.values()), {})
    wanted = group.definitions.get(metric, {}).get("figure", "")
    return wanted if wanted in first_row else next(iter(first_row), "")


def _number_cell(group: SplitResults, metric: str, figure: Figure, mark: Mark) -> TableCell:
    """Show a figure with its interval; "-" where there was nothing to average."""
    if figure.value is None:
        return TableCell("-")
    text = group.number(metric, figure.value)
    if figure.low is None or figure.high is None:
        return TableCell(text, mark)
    return TableCell(text, mark, f"[{group.number(metric, figure.low)}, {group.number(metric, figure.high)}]")

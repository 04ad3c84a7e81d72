"""What the tables say, before any format: sheets of entries made from summaries and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from cfbench.lines import Comparison, Line, Setting, Summary
from cfbench.record import stratum_name

Mark: TypeAlias = Literal["", "best", "tie"]

ACCURACY = ("RMSE", "MAE", "answered", "NDCG", "Recall", "Precision")
POPULARITY = ("ARP", "APLT", "Gini", "coverage")
STRATA = (("cold-users", "Cold start: users", "user"), ("cold-items", "Cold start: items", "item"))
_DIGITS = {"ARP": 1}
_WITH_INTERVAL = ("RMSE", "NDCG")
_PERCENT = ("answered", "APLT", "coverage")
_TIE_NOTE = (
    "Bold (*): best value. ≈: not told apart from the best (the 95 % interval of the paired difference, "
    "resampling users, holds zero). Brackets: 95 % interval, resampling users."
)


@dataclass(frozen=True)
class Entry:
    """One cell of a table: its text, the interval beside it, and how it is marked."""

    text: str
    mark: Mark = ""
    interval: str = ""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        title: its heading.
        columns: column headings; the first column names the row.
        rows: entries, one per column.
        notes: what a reader must know to believe it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Division:
    """All models on one data set under one split.

    Attributes:
        dataset: the data set's name.
        split: the split's name.
        summaries: one per model, best RMSE first, rankers after, failures last.
        comparisons: against the best, by metric and model.
        setting: the conditions of the comparison, if they were recorded.
    """

    dataset: str
    split: str
    summaries: tuple[Summary, ...]
    comparisons: Mapping[tuple[str, str], Comparison]
    setting: Setting | None

    def mark(self, metric: str, model: str) -> Mark:
        """Say whether ``model`` is the best in ``metric`` or tied with it."""
        comparison = self.comparisons.get((metric, model))
        if comparison is not None:
            return "best" if comparison.equal else "tie" if comparison.tied else ""
        is_best = any(c.metric == metric and c.best == model for c in self.comparisons.values())
        return "best" if is_best else ""


def divisions(lines: Iterable[Line]) -> list[Division]:
    """Group the lines of a run by data set and split, in their order."""
    lines = list(lines)
    summaries = [line for line in lines if isinstance(line, Summary)]
    found = []
    for (dataset, split), group in groupby(summaries, key=lambda one: (one.dataset, one.split)):
        comparisons = {
            (line.metric, line.model): line
            for line in lines
            if isinstance(line, Comparison) and (line.dataset, line.split) == (dataset, split)
        }
        setting = next(
            (one for one in lines if isinstance(one, Setting) and (one.dataset, one.split) == (dataset, split)), None
        )
        found.append(Division(dataset, split, tuple(sorted(group, key=_rank)), comparisons, setting))
    return found


def sheets(division: Division) -> list[Sheet]:
    """Make the tables of one division: accuracy, cold start, popularity bias, anything else, cost, failures."""
    made = [
        _accuracy(division),
        *_cold_start(division),
        _popularity(division),
        _others(division),
        *_other_tables(division),
        _cost(division),
        _failures(division),
    ]
    return [sheet for sheet in made if len(sheet.columns) > 1 and sheet.rows]


def family(metric: str) -> str:
    """Return the metric's name without its parameter: ``NDCG`` of ``NDCG@10``."""
    return metric.partition("@")[0]


def _rank(summary: Summary) -> tuple[bool, float, float]:
    """Order of rows: finished before failed, lower RMSE, then higher NDCG."""
    values = {family(name): figure.value for name, figure in summary.metrics.items()}
    rmse, ndcg = values.get("RMSE"), values.get("NDCG")
    return (summary.finished == 0, float("inf") if rmse is None else rmse, -(ndcg or 0.0))


def _finished(division: Division) -> list[Summary]:
    return [summary for summary in division.summaries if summary.finished]


def _metric_names(division: Division, wanted: Callable[[str], bool]) -> list[str]:
    names = dict.fromkeys(name for summary in _finished(division) for name in summary.metrics)
    return [name for name in names if wanted(family(name))]


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: order.index(family(name)))


def _accuracy(division: Division) -> Sheet:
    names = _in_order(_metric_names(division, lambda name: name in ACCURACY), ACCURACY)
    rows = tuple(
        (
            _model(summary),
            *(_figure(division, summary, name) for name in names),
            Entry(f"{summary.distribution} {summary.version}"),
        )
        for summary in _finished(division)
    )
    return Sheet("Accuracy", ("model", *names, "plugin"), rows, (_TIE_NOTE,))


def _cold_start(division: Division) -> list[Sheet]:
    return [_strata(division, name, title, entity) for name, title, entity in STRATA]


def _strata(division: Division, name: str, title: str, entity: str) -> Sheet:
    with_table = [summary for summary in _finished(division) if name in summary.tables]
    if not with_table:
        return Sheet(title, ("model",), ())
    strata = with_table[0].tables[name].rows
    columns = tuple(f"{stratum} (n={_count(row.get('n'))})" for stratum, row in strata.items())
    rows = tuple(
        (
            _model(summary),
            *(
                _stratum(row, division.mark(stratum_name(name, stratum), summary.model))
                for stratum, row in summary.tables[name].rows.items()
            ),
        )
        for summary in with_table
    )
    notes = (
        f"RMSE by the number of training ratings of the {entity}; n = test ratings. Bold (*) and ≈ as above, in each "
        "column.",
        "†: the model could not answer all of these; the training mean stood in.",
    )
    return Sheet(title, ("model", *columns), rows, notes)


def _stratum(row: Mapping[str, float | None], mark: Mark) -> Entry:
    if row.get("RMSE") is None:
        return Entry("-")
    answered = row.get("answered")
    return Entry(f"{row['RMSE']:.4f}" + ("†" if answered is not None and answered < 1 else ""), mark)


def _popularity(division: Division) -> Sheet:
    names = _in_order(_metric_names(division, lambda name: name in POPULARITY), POPULARITY)
    errors = [summary for summary in _finished(division) if "popularity-deciles" in summary.tables]
    ends = ("1", "10") if errors else ()
    rows = tuple(
        (
            _model(summary),
            *(_plain(summary, name) for name in names),
            *(_signed_error(summary, decile) for decile in ends),
        )
        for summary in _finished(division)
    )
    columns = ("model", *names, *(f"signed error, decile {decile}" for decile in ends))
    notes = (
        "ARP: mean popularity (training users) of listed items. APLT: share of long-tail items in the lists. "
        "Gini: inequality of exposure, 1 = all on one item. Coverage: share of the catalogue that is listed at all.",
        "Signed error: mean of prediction - truth among test ratings of the least and the most popular tenth of items.",
        "No value is marked as best: a random order has the least popularity bias of all and pleases nobody.",
        *_tail_note(errors),
    )
    return Sheet("Popularity bias", columns, rows, notes)


def _tail_note(errors: Sequence[Summary]) -> Iterable[str]:
    facts = errors[0].tables["popularity-deciles"].facts if errors else {}
    cut, share = facts.get("tail cut"), facts.get("tail share")
    if cut is not None and share is not None:
        yield (
            f"Long tail: items outside the smallest set that covers 80 % of training ratings; here the head ends at "
            f"{cut:g} ratings and the tail is {share:.1%} of the items."
        )


def _signed_error(summary: Summary, decile: str) -> Entry:
    table = summary.tables.get("popularity-deciles")
    value = table.rows[decile].get("signed error") if table else None
    return Entry("n/a" if table is None else "-" if value is None else f"{value:+.3f}")


def _others(division: Division) -> Sheet:
    names = _metric_names(division, lambda name: name not in (*ACCURACY, *POPULARITY))
    rows = tuple((_model(s), *(_figure(division, s, name) for name in names)) for s in _finished(division))
    return Sheet("Other metrics", ("model", *names), rows)


def _other_tables(division: Division) -> list[Sheet]:
    """Tables of metrics that this module does not know: one row per model and stratum."""
    known = {name for name, _, _ in STRATA} | {"popularity-deciles"}
    names = dict.fromkeys(name for summary in _finished(division) for name in summary.tables if name not in known)
    return [_other_table(name, [s for s in _finished(division) if name in s.tables]) for name in names]


def _other_table(name: str, summaries: Sequence[Summary]) -> Sheet:
    figures = list(dict.fromkeys(f for s in summaries for row in s.tables[name].rows.values() for f in row))
    rows = tuple(
        (_model(summary), Entry(stratum), *(_any_number(row.get(figure)) for figure in figures))
        for summary in summaries
        for stratum, row in summary.tables[name].rows.items()
    )
    return Sheet(name, ("model", "stratum", *figures), rows)


def _any_number(value: float | None) -> Entry:
    return Entry("-" if value is None else f"{value:.5g}")


def _cost(division: Division) -> Sheet:
    rows = tuple(
        (
            _model(summary),
            *(Entry(f"{summary.seconds.get(part, 0.0):.2f}") for part in ("fit", "predict")),
            Entry(f"{summary.cpu_seconds.get('fit', 0.0):.2f}"),
            Entry(f"{summary.peak_memory / 2**20:,.0f}"),
        )
        for summary in _finished(division)
    )
    columns = ("model", "fit s", "predict s", "fit CPU s", "peak memory MiB")
    notes = (
        "Predict: test ratings and scores of the whole catalogue for every test user; the model's own time. "
        "Memory: of the cell's process, without what it shares with the libraries that were loaded beforehand.",
    )
    return Sheet("Cost", columns, rows, notes)


def _failures(division: Division) -> Sheet:
    rows = tuple(
        (_model(summary), Entry(f"{summary.finished} of {summary.cells}"), Entry(summary.reason))
        for summary in division.summaries
        if summary.finished < summary.cells
    )
    return Sheet("Not finished", ("model", "cells done", "reason"), rows)


def _model(summary: Summary) -> Entry:
    partial = f" ({summary.finished} of {summary.cells} cells)" if 0 < summary.finished < summary.cells else ""
    return Entry(summary.model + partial)


def _figure(division: Division, summary: Summary, metric: str) -> Entry:
    """Show a figure with its mark, and with its interval where the column has room for one."""
    figure, name = summary.metrics.get(metric), family(metric)
    if figure is None or figure.value is None:
        return _plain(summary, metric)
    wanted = name in _WITH_INTERVAL and figure.low is not None and figure.high is not None
    interval = f"[{_number(name, figure.low)}, {_number(name, figure.high)}]" if wanted else ""
    return Entry(_number(name, figure.value), division.mark(metric, summary.model), interval)


def _plain(summary: Summary, metric: str) -> Entry:
    """Show a figure alone; "n/a" where the model cannot have it, "-" where there was nothing to average."""
    figure = summary.metrics.get(metric)
    if figure is None:
        return Entry("failed" if "failed" in summary.not_applicable.get(metric, "") else "n/a")
    return Entry("-" if figure.value is None else _number(family(metric), figure.value))


def _number(name: str, value: float | None) -> str:
    assert value is not None
    return f"{value:.1%}" if name in _PERCENT else f"{value:.{_DIGITS.get(name, 4)}f}"


def _count(value: float | None) -> str:
    return f"{value or 0:,.0f}"

"""Every model against the best, in numbers: difference, interval, and two p-values."""

from __future__ import annotations

from cfbench.reporting.result_groups import JUDGED, ResultGroup
from cfbench.reporting.table import Table, TableCell

_NOTES = (
    "Difference: model minus best, with its 95 % interval by resampling users in pairs. p: of no difference, by "
    "Student's t with the spread of the same resamples. Wilcoxon: signed-rank test on the values of single users, a "
    "question about the typical user rather than the mean. Both are corrected after Holm for all pairs of the metric.",
)


def against_best(division: ResultGroup) -> Table:
    """Make the sheet of paired comparisons in the metrics of accuracy and ranking."""
    rows = tuple(
        (
            TableCell(one.model),
            TableCell(one.metric),
            TableCell(one.best),
            TableCell(f"{one.difference:+.4f}", interval=_interval(one.low, one.high)),
            TableCell(_p_value(one.p_corrected)),
            TableCell(_p_value(one.wilcoxon_corrected)),
        )
        for point in division.points[:1]
        for metric in division.metrics(*JUDGED)
        for one in point.comparisons.values()
        if one.metric == metric
    )
    columns = ("model", "metric", "best", "difference", "p", "Wilcoxon p")
    return Table("Against the best", columns, rows, _NOTES, on_terminal="no")


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{low:+.4f}, {high:+.4f}]"


def _p_value(p: float | None) -> str:
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"

"""Pictures beside the tables: curves of cold start, and critical differences over data sets.

Drawn with matplotlib where it is installed (the extra ``plots``), as SVG that is the same byte for byte for the same
records. Text stays text, so that a page can be searched and read aloud.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfbench.evaluation.statistics.ranks import cliques
from cfbench.records.lines import Line, Standing
from cfbench.records.record import Figure
from cfbench.reporting.notes import BETTER
from cfbench.reporting.plots.canvas import can_draw, new_canvas, style, svg
from cfbench.reporting.result_groups import JUDGED, ResultGroup, result_groups, without_parameter
from cfbench.reporting.standings import standings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NAMES = re.compile(r"(curve|ranks)-\d+\.svg")
"""What the files of pictures are called."""

_DRAWN = ("RMSE", "NDCG")
_MARKERS = "osD^vPX*<>hd"


@dataclass(frozen=True)
class Picture:
    """A drawing: the name of its file, what it shows, and its SVG text."""

    file: str
    caption: str
    svg: str


def can_be_seen(lines: Sequence[Line]) -> bool:
    """Whether the lines hold anything that is better seen than read."""
    return bool(_curves(lines) or standings(lines))


def pictures(lines: Sequence[Line]) -> list[Picture]:
    """Draw what the lines hold that is better seen than read; nothing without matplotlib."""
    if not can_draw():
        return []
    curves, ranked = _curves(lines), standings(lines)
    if not (curves or ranked):
        return []  # so that matplotlib is not even imported
    with style():
        return [
            *(Picture(f"curve-{n}.svg", _curve_caption(one), svg(_curve(one))) for n, one in enumerate(curves, 1)),
            *(Picture(f"ranks-{n}.svg", _ranks_caption(one), svg(_ranks(one))) for n, one in enumerate(ranked, 1)),
        ]


def _curves(lines: Sequence[Line]) -> list[ResultGroup]:
    return [one for one in result_groups(lines) if one.is_curve and _drawn_metrics(one)]


def _drawn_metrics(division: ResultGroup) -> list[str]:
    return [name for name in division.metrics(*JUDGED) if without_parameter(name) in _DRAWN]


def _curve_caption(division: ResultGroup) -> str:
    return f"Curve of {division.dataset}, {division.split}"


def _ranks_caption(standing: Standing) -> str:
    return f"Mean ranks in {standing.metric}, {standing.split}"


def _curve(division: ResultGroup) -> Canvas:
    """Draw RMSE and NDCG against the ratings given back, with intervals, one line for each model."""
    metrics = _drawn_metrics(division)
    models = sorted({one.model for point in division.points for one in point.finished})  # colours as in other curves
    canvas = new_canvas(1.5 + 4.2 * len(metrics), 3.6)
    for place, metric in enumerate(metrics, start=1):
        axes = canvas.add_subplot(1, len(metrics), place)
        for number, model in enumerate(models):
            _line(axes, division, metric, model, number, len(models))
        axes.set_xticks(range(len(division.points)), [str(point.n_given) for point in division.points])
        axes.set_xlabel("ratings given back (s), not to scale")
        better = BETTER.get(division.definitions.get(metric, {}).get("direction", ""))
        axes.set_ylabel(f"{metric} ({better})" if better else metric)
        axes.grid(alpha=0.3)
    canvas.suptitle(f"{division.dataset}, {division.split}; bars: 95 % intervals")
    handles: list[Any] = list(canvas.axes[0].containers)  # by hand, as labels beginning with _ would be left out
    canvas.legend(handles, models, loc="outside right upper", frameon=False)
    return canvas


def _line(axes: Axes, division: ResultGroup, metric: str, model: str, number: int, models: int) -> None:
    """Draw one model's points; models stand a little apart, so that their intervals can be told apart."""
    told = [(place, figure) for place, figure in enumerate(_figures(division, metric, model)) if figure is not None]
    values = [(place, one.value, one.low, one.high) for place, one in told if one.value is not None]
    shift = 0.4 * (number / max(1, models - 1) - 0.5)
    down = [value - (value if low is None else low) for _, value, low, _ in values]
    up = [(value if high is None else high) - value for _, value, _, high in values]
    axes.errorbar(
        [place + shift for place, *_ in values],
        [value for _, value, *_ in values],
        yerr=[[max(0.0, one) for one in down], [max(0.0, one) for one in up]],
        marker=_MARKERS[number % len(_MARKERS)],
        markersize=4,
        linewidth=1,
        capsize=2,
    )


def _figures(division: ResultGroup, metric: str, model: str) -> Iterator[Figure | None]:
    for point in division.points:
        yield next((one.metrics.get(metric) for one in point.finished if one.model == model), None)


def _ranks(standing: Standing) -> Canvas:
    """Draw the critical-difference diagram of Demšar (2006): mean ranks on a line, bars over who is not told apart."""
    models, ranks = list(standing.mean_ranks), list(standing.mean_ranks.values())
    groups = cliques(ranks, standing.critical_difference)
    rows = (len(models) + 1) // 2
    canvas = new_canvas(7.5, 1.3 + 0.22 * (rows + len(groups)))
    axes = canvas.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(-0.9, len(models) + 1.9)
    axes.set_ylim(-1.0 - rows - 0.6 * len(groups), 2.4)
    _scale(axes, len(models), standing.critical_difference)
    _labels(axes, models, ranks, 0.6 * len(groups))
    for level, group in enumerate(groups):
        ends = (ranks[group[0]] - 0.05, ranks[group[-1]] + 0.05)
        axes.plot(ends, [-0.4 - 0.5 * level] * 2, color="black", linewidth=3, solid_capstyle="round")
    canvas.suptitle(f"Mean rank in {standing.metric} over {len(standing.datasets)} data sets, {standing.split}")
    return canvas


def _scale(axes: Axes, models: int, critical_difference: float) -> None:
    axes.plot([1, models], [0, 0], color="black", linewidth=1)
    for rank in range(1, models + 1):
        axes.plot([rank, rank], [0, 0.2], color="black", linewidth=1)
        axes.text(rank, 0.35, str(rank), ha="center", va="bottom")
    end = 1 + critical_difference
    axes.plot([1, end], [1.6, 1.6], color="black", linewidth=1, marker="|")
    axes.text((1 + end) / 2, 1.75, f"critical difference {critical_difference:.2f}", ha="center", va="bottom")


def _labels(axes: Axes, models: Sequence[str], ranks: Sequence[float], below: float) -> None:
    """Write the better half of the models at the left, the others at the right, each joined to its rank."""
    left = (len(models) + 1) // 2
    for index, (model, rank) in enumerate(zip(models, ranks, strict=True)):
        on_left = index < left
        depth = -0.9 - below - (index if on_left else len(models) - 1 - index)
        edge = 0.6 if on_left else len(models) + 0.4
        axes.plot([rank, rank, edge], [0, depth, depth], color="grey", linewidth=0.8)
        axes.text(
            edge + (-0.1 if on_left else 0.1),
            depth,
            f"{model} ({rank:.2f})",
            ha="right" if on_left else "left",
            va="center",
        )

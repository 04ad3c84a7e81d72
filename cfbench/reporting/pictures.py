"""Pictures of a run: curves over known ratings, and critical differences over data sets.

Drawn with matplotlib where it is installed (the extra ``plots``), as SVG that is the same byte for byte for the same
records. Text stays text, so that a page can be searched and read aloud.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfbench.evaluation.statistics.significance import cliques
from cfbench.records.record import Line, Standing
from cfbench.reporting.group_tables import COMPARED, SplitResults, result_groups, standings, without_parameter
from cfbench.reporting.plots import can_draw, new_canvas, style, svg
from cfbench.reporting.table import BETTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NAMES = re.compile(r"(curve|ranks)-\d+\.svg")
"""Names of the files of pictures."""

_DRAWN = ("RMSE", "NDCG")
_MARKERS = "osD^vPX*<>hd"


@dataclass(frozen=True)
class Picture:
    """A picture: the name of its file, what it shows, and its SVG text."""

    file: str
    caption: str
    svg: str


def has_pictures(lines: Sequence[Line]) -> bool:
    """Whether there is anything in the lines that pictures show."""
    return bool(_curves(lines) or standings(lines))


def pictures(lines: Sequence[Line]) -> list[Picture]:
    """Return the pictures of a run; none without matplotlib."""
    if not can_draw() or not has_pictures(lines):
        return []  # so that matplotlib is not even imported
    with style():
        curves = [
            Picture(f"curve-{number}.svg", f"Curve of {group.dataset}, {group.split}", svg(_curve(group, metrics)))
            for number, (group, metrics) in enumerate(_curves(lines), 1)
        ]
        ranks = [
            Picture(f"ranks-{number}.svg", f"Mean ranks in {one.metric}, {one.split}", svg(_ranks(one)))
            for number, one in enumerate(standings(lines), 1)
        ]
    return curves + ranks


def _curves(lines: Sequence[Line]) -> list[tuple[SplitResults, list[str]]]:
    """Return the groups that are curves, each with the metrics to draw."""
    curves = [group for group in result_groups(lines) if group.is_curve]
    drawn = ([name for name in group.metrics(*COMPARED) if without_parameter(name) in _DRAWN] for group in curves)
    return [(group, metrics) for group, metrics in zip(curves, drawn, strict=True) if metrics]


def _curve(group: SplitResults, metrics: Sequence[str]) -> Canvas:
    """Draw metrics against the known ratings, with intervals, one line for each model."""
    models = sorted({one.model for point in group.points for one in point.with_figures})  # colours as in other curves
    canvas = new_canvas(1.5 + 4.2 * len(metrics), 3.6)
    for place, metric in enumerate(metrics, start=1):
        axes = canvas.add_subplot(1, len(metrics), place)
        for number, model in enumerate(models):
            _line(axes, group, metric, model, number, len(models))
        axes.set_xticks(range(len(group.points)), [str(point.n_given) for point in group.points])
        axes.set_xlabel("ratings given back (s), not to scale")
        better = BETTER.get(group.column(metric).direction)
        axes.set_ylabel(f"{metric} ({better})" if better else metric)
        axes.grid(alpha=0.3)
    canvas.suptitle(f"{group.dataset}, {group.split}; bars: 95 % intervals")
    handles: list[Any] = list(canvas.axes[0].containers)  # by hand, as labels beginning with _ would be left out
    canvas.legend(handles, models, loc="outside right upper", frameon=False)
    return canvas


def _line(axes: Axes, group: SplitResults, metric: str, model: str, number: int, models: int) -> None:
    """Draw one model's points; models stand a little apart, so that their intervals can be told apart."""
    shift = 0.4 * (number / max(1, models - 1) - 0.5)
    places, values, down, up = [], [], [], []
    for place, point in enumerate(group.points):
        figure = next((one.metrics.get(metric) for one in point.with_figures if one.model == model), None)
        if figure is not None and figure.value is not None:
            places.append(place + shift)
            values.append(figure.value)
            down.append(0.0 if figure.low is None else max(0.0, figure.value - figure.low))
            up.append(0.0 if figure.high is None else max(0.0, figure.high - figure.value))
    marker = _MARKERS[number % len(_MARKERS)]
    axes.errorbar(places, values, yerr=[down, up], marker=marker, markersize=4, linewidth=1, capsize=2)


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
        depth = -0.9 - below - (index if index < left else len(models) - 1 - index)
        edge, gap, side = (0.6, -0.1, "right") if index < left else (len(models) + 0.4, 0.1, "left")
        axes.plot([rank, rank, edge], [0, depth, depth], color="grey", linewidth=0.8)
        axes.text(edge + gap, depth, f"{model} ({rank:.2f})", ha=side, va="center")

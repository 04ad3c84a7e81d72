"""Models over several data sets: mean ranks, and who is not told apart."""

from __future__ import annotations

from collections.abc import Iterable

from cfbench.records.lines import Line, Standing
from cfbench.report.division import without_parameter
from cfbench.report.sheet import Entry, Sheet

_SHOWN = ("RMSE", "NDCG")


def standings(lines: Iterable[Line]) -> list[Standing]:
    """Return the standings that are shown and drawn: in RMSE and NDCG; the rest is in the records."""
    return [line for line in lines if isinstance(line, Standing) and without_parameter(line.metric) in _SHOWN]


def standing_sheet(standing: Standing) -> Sheet:
    """Make the sheet of mean ranks over data sets."""
    rows = tuple((Entry(model), Entry(f"{rank:.2f}")) for model, rank in standing.mean_ranks.items())
    notes = (
        f"Mean rank in {standing.metric} over {len(standing.datasets)} data sets ({', '.join(standing.datasets)}), 1 = "
        f"best. Friedman's test that all models are alike: p = {standing.p:.3g}. Mean ranks that differ by less than "
        f"{standing.critical_difference:.2f} are not told apart (Nemenyi, 5 %).",
    )
    title = f"{standing.metric} over data sets, {standing.split}"
    return Sheet(title, ("model", "mean rank"), rows, notes, on_terminal="full")

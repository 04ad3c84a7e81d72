"""Models over several data sets: mean ranks, and who is not told apart."""

from __future__ import annotations

from collections.abc import Iterable

from cfbench.records.lines import Line, Standing
from cfbench.reporting.result_groups import without_parameter
from cfbench.reporting.table import Table, TableCell

_SHOWN = ("RMSE", "NDCG")


def standings(lines: Iterable[Line]) -> list[Standing]:
    """Return the standings that are shown and drawn: in RMSE and NDCG; the rest is in the records."""
    return [line for line in lines if isinstance(line, Standing) and without_parameter(line.metric) in _SHOWN]


def standing_table(standing: Standing) -> Table:
    """Make the sheet of mean ranks over data sets."""
    rows = tuple((TableCell(model), TableCell(f"{rank:.2f}")) for model, rank in standing.mean_ranks.items())
    notes = (
        f"Mean rank in {standing.metric} over {len(standing.datasets)} data sets ({', '.join(standing.datasets)}), 1 = "
        f"best. Friedman's test that all models are alike: p = {standing.p:.3g}. Mean ranks that differ by less than "
        f"{standing.critical_difference:.2f} are not told apart (Nemenyi, 5 %).",
    )
    title = f"{standing.metric} over data sets, {standing.split}"
    return Table(title, ("model", "mean rank"), rows, notes, on_terminal="full")

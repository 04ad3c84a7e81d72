"""Selection of one finished cell of a run by a few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cfbench.errors import UnknownNameError, UsageError
from cfbench.records.record import Cell, Record
from cfbench.spec import Spec

SHORT_KEY = 8
"""Characters of a cell's key that distinguish it from others, in listings and in names of folders."""

_MAX_LISTED = 20


def select_record(records: Iterable[Record], text: str | None) -> Record:
    """Return the one finished record that ``text`` names.

    ``text`` is tried as the model as it was written, as the model's name, as the beginning of the cell's key, as the
    cell as listings show it and as a part of that, in this order; the first reading that fits any cell counts. None
    means the only cell there is.

    Raises:
        UsageError: no cell is finished, or several fit, which are listed with their keys.
        UnknownNameError: none fits.
    """
    finished = [record for record in records if record.status == "ok"]
    if not finished:
        raise UsageError("no cell of this run is finished; start the same `cfbench run` again")
    fitting = finished
    if text is not None:
        lower = text.lower()
        readings: tuple[Callable[[Cell], bool], ...] = (
            lambda cell: cell.model == text,
            lambda cell: Spec.parse(cell.model).name == text,
            lambda cell: len(text) >= SHORT_KEY // 2 and cell.key.startswith(lower),
            lambda cell: str(cell).lower() == lower,  # "... n_given=1" is a part of "... n_given=10"
            lambda cell: lower in str(cell).lower(),
        )
        by_reading = ([record for record in finished if fits(record.cell)] for fits in readings)
        fitting = next(filter(None, by_reading), [])
    if not fitting:
        raise UnknownNameError.among("cell", str(text), {record.cell.model for record in finished}, _listing(finished))
    if len(fitting) > 1:
        what = "there are" if text is None else f"{text!r} fits"
        raise UsageError(f"{what} {len(fitting)} cells; name one, by its key if need be:{_listing(fitting)}")
    return fitting[0]


def _listing(records: Sequence[Record]) -> str:
    lines = [f"\n  {record.cell.key[:SHORT_KEY]}  {record.cell}" for record in records[:_MAX_LISTED]]
    return "".join(lines) + (f"\n  and {len(records) - _MAX_LISTED} more" if len(records) > _MAX_LISTED else "")

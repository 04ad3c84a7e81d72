"""Which cell of a run is meant by a few words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cfbench.errors import UnknownNameError, UsageError
from cfbench.records.record import Cell, Record
from cfbench.spec import Spec

SHORT_KEY = 8
"""Characters of a cell's key that tell it from others, in listings and in names of folders."""

_SHOWN = 20


def chosen_record(records: Iterable[Record], text: str | None) -> Record:
    """Return the one finished record that ``text`` means.

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
    fitting = finished if text is None else _fitting(finished, text)
    if not fitting:
        raise UnknownNameError.among("cell", str(text), {record.cell.model for record in finished}, _listing(finished))
    if len(fitting) > 1:
        what = "there are" if text is None else f"{text!r} fits"
        raise UsageError(f"{what} {len(fitting)} cells; name one, by its key if need be:{_listing(fitting)}")
    return fitting[0]


def _fitting(records: Sequence[Record], text: str) -> list[Record]:
    for readings in zip(*(_readings(record.cell, text) for record in records), strict=True):
        found = [record for record, fits in zip(records, readings, strict=True) if fits]
        if found:
            return found
    return []


def _readings(cell: Cell, text: str) -> Iterator[bool]:
    yield cell.model == text
    yield Spec.parse(cell.model).name == text
    yield len(text) >= SHORT_KEY // 2 and cell.key.startswith(text.lower())
    yield text.lower() == str(cell).lower()  # "... s=1" is a part of "... s=10"
    yield text.lower() in str(cell).lower()


def _listing(records: Sequence[Record]) -> str:
    lines = [f"\n  {record.cell.key[:SHORT_KEY]}  {record.cell}" for record in records[:_SHOWN]]
    return "".join(lines) + (f"\n  and {len(records) - _SHOWN} more" if len(records) > _SHOWN else "")

"""The lines of a run: settings, definitions, records, and what the records say together."""

from __future__ import annotations

from collections.abc import Mapping

from cfbench.measuring.recording import Recorder
from cfbench.records.lines import Line
from cfbench.records.record import Cell, Record
from cfbench.summaries.comparison import compared
from cfbench.summaries.conditions import definitions, settings


def consolidated(recorder: Recorder, records: Mapping[Cell, Record]) -> list[Line]:
    """Return all that tables need: one order of lines, whether the run was completed, cut off or rescored.

    Args:
        recorder: has measured every record that is ok.
        records: what came of the study's cells; cells that were not run are missing.
    """
    study = recorder.study
    ordered = [records[cell] for cell in study.cells if cell in records]
    lines = [*settings(study), *definitions(study), *ordered, *compared(study, ordered, recorder.drawing)]
    recorder.drawing.close()
    return lines

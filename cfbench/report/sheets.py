"""What the tables say, before any format: the sheets of one data set under one splitter, in their order."""

from __future__ import annotations

from cfbench.report.against_best import against_best
from cfbench.report.curves import curve_sheets
from cfbench.report.division import Division
from cfbench.report.families import family_sheets
from cfbench.report.overview import overview
from cfbench.report.remarks import remark_sheets
from cfbench.report.sheet import Sheet


def sheets(division: Division) -> list[Sheet]:
    """Make all sheets that have something to say: curves where the split is one, families of metrics elsewhere."""
    if division.is_curve:
        made = [*curve_sheets(division), *remark_sheets(division)]
    else:
        made = [overview(division), *family_sheets(division), against_best(division), *remark_sheets(division)]
    return [sheet for sheet in made if len(sheet.columns) > 1 and sheet.rows]

"""Text in CSV files that spreadsheets and terminals show and do not obey."""

from __future__ import annotations

from cfbench.files.printable import printable_line

_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def inert(value: object) -> object:
    """Return a cell of a CSV file with its text made inert; what is no text stays as it is.

    Text that a spreadsheet would take for a formula gets an apostrophe before it, unless it is a number; control
    characters, which a terminal would obey, become replacement characters.
    """
    if not isinstance(value, str):
        return value
    formula = value.lstrip(" ").startswith(_BEGIN_FORMULAS) and not _is_number(value)
    return printable_line(f"'{value}" if formula else value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

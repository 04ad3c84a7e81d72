"""Tables: rounded for readers, exact in files, harmless whatever items are called."""

import csv
import io

import numpy as np

from cfbench.analysis.view import ViewTable
from cfbench.reporting.table import markdown_table

TABLE = ViewTable(
    "t",
    "Table",
    {
        "title": np.array(["a | b, c", "<i>$x$"]),
        "bias": np.array([0.12345678, np.nan], dtype=np.float64),
        "ratings": np.array([1234, 5]),
    },
)


def test_readers_see_three_decimals_and_a_dash_for_nothing():
    assert [[one.text for one in row] for row in TABLE.table().rows] == [
        ["a | b, c", "0.123", "1,234"],
        ["<i>$x$", "-", "5"],
    ]


def test_files_hold_everything_and_an_empty_field_for_nothing():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows == [["title", "bias", "ratings"], ["a | b, c", "0.12345678", "1234"], ["<i>$x$", "", "5"]]


def test_no_title_breaks_a_markdown_table():
    rows = markdown_table(TABLE.table()).splitlines()
    assert len(rows) == 4
    assert rows[2].replace(r"\|", "").count("|") == 4
    assert "<i>" not in rows[3]

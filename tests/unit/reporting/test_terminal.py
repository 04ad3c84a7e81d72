"""Tables on terminals of any width: no figure is cut in two, nothing is left out."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cfbench.reporting.table import Column, Table, TableCell, print_table

LONG = "dot-bias[batch_size=65536,epochs=2,n_factors=50]"


def printed(table: Table, width: int) -> list[str]:
    console = Console(width=width, file=StringIO())
    print_table(table, console)
    return console.file.getvalue().splitlines()


def columns(first: str, *figures: str) -> tuple[Column, ...]:
    return (Column(first, "text"), *map(Column, figures))


def strata(n_columns: int, *models: str) -> Table:
    rows = tuple((TableCell(model), *(TableCell(f"+1.{i:04d}", "best") for i in range(n_columns))) for model in models)
    return Table("deciles", columns("model", *(f"{i} (n={1000 + i:,})" for i in range(n_columns))), rows)


def words(lines: list[str]) -> list[str]:
    return [word for line in lines for word in line.split()]


def test_a_table_that_fits_is_one_with_headings_in_one_line():
    lines = printed(strata(3, "bias"), 80)
    assert lines[2].split() == ["model", "0", "(n=1,000)", "1", "(n=1,001)", "2", "(n=1,002)"]
    assert sum("bias" in line for line in lines) == 1


def test_headings_and_intervals_are_broken_before_figures_are():
    row = (TableCell("bias"), *(TableCell("1.5387", interval="[1.5133, 1.5628]") for _ in range(5)))
    table = Table("t", columns("model", *["RMSE, new users"] * 5), (row,), on_terminal="full")
    lines = printed(table, 80)
    assert words(lines).count("1.5387") == words(lines).count("[1.5133,") == words(lines).count("1.5628]") == 5
    assert lines[-5].split() == ["bias", *["1.5387"] * 5]


def test_columns_beyond_the_width_follow_below_with_the_models_again():
    lines = printed(strata(11, "bias", LONG), 80)
    assert words(lines).count("deciles") == 3
    assert sum("(continued)" in line for line in lines) == 2
    assert words(lines).count("bias") == 3
    assert [f"+1.{i:04d}" in words(lines) for i in range(11)] == [True] * 11


def test_a_long_name_is_broken_behind_commas_and_leaves_the_room_to_the_figures():
    lines = printed(strata(7, LONG), 120)
    assert words(lines).count("+1.0006") == 1
    assert {"dot-bias[batch_size=65536,", "epochs=2,n_factors=50]"} <= set(words(lines))


def test_words_are_wrapped_between_figures_that_are_not():
    table = Table(
        "t",
        (*columns("model"), Column("reason", "text"), Column("RMSE")),
        ((TableCell("a"), TableCell("why " * 50), TableCell("1.2345")),),
    )
    lines = printed(table, 60)
    assert words(lines).count("why") == 50
    assert words(lines).count("1.2345") == 1


def test_a_sheet_without_rows_or_heading_is_a_table_too():
    assert printed(Table("nothing", columns("", "RMSE"), ()), 20)


@pytest.mark.parametrize(("width", "shown"), [(80, False), (200, True)])
def test_where_a_row_comes_from_is_left_out_on_narrow_terminals(width, shown):
    table = Table("t", (*columns("model", "RMSE"), Column("plugin", "origin")), (tuple(map(TableCell, "abc")),))
    assert ("plugin" in words(printed(table, width))) == shown


@pytest.mark.parametrize("width", [40, 80, 140])
def test_wide_characters_take_the_room_that_they_need(width):
    lines = printed(
        Table("t", columns("title", "好 (n=1)"), ((TableCell("千と千尋の神隠し" * 5), TableCell("4.5")),)), width
    )
    assert "4.5" in words(lines)


@given(
    width=st.integers(40, 200),
    n_columns=st.integers(1, 14),
    models=st.lists(st.text("abc[],=1 ", min_size=1, max_size=60), min_size=1, max_size=3),
)
def test_every_figure_is_whole_and_every_line_fits_whatever_the_width(width, n_columns, models):
    lines = printed(strata(n_columns, *models), width)
    assert max(map(len, lines)) <= width
    for i in range(n_columns):
        assert words(lines).count(f"+1.{i:04d}") == len(models)

"""Lines of any content that can be read are rendered in every format, or refused with an error of ours."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cfbench.errors import CfbenchError
from cfbench.records.record import (
    Comparison,
    Definition,
    Figure,
    MissingMetric,
    RunConditions,
    SanityWarning,
    Standing,
    StrataTable,
    Summary,
)
from cfbench.records.store import RunFolder, read_lines
from cfbench.reporting.csv_files import csv_files
from cfbench.reporting.pictures import pictures
from cfbench.reporting.run_report import markdown_report, print_report

COUNTS = dict.fromkeys(
    (
        "train_rows", "train_users", "train_items", "test_rows", "test_users", "test_rows_of_unknown_users",
        "test_rows_of_unknown_items", "test_users_with_a_relevant_item", "test_rows_not_after_training",
        "train_share_of_most_active_1%",
    ),
    5.0,
)  # fmt: skip


def conditions(given: int | None) -> RunConditions:
    return RunConditions(
        "d", "s", "f" * 64, "1 to 5", 4.0, "MIT", "", 0, 1, 1, COUNTS, 3.5, 1000, "0.1", ("k-core",), n_given=given
    )


def summary(model: str, given: int | None, finished: int = 1) -> Summary:
    rows = {
        "0": {"RMSE": Figure(1.0), "n": Figure(3.0), "prediction-coverage": Figure(0.5)},
        "1-5": {"RMSE": Figure(None)},
    }
    return Summary(
        "d", "s", model, "x", "1", 1, finished, "" if finished else "why",
        {"RMSE": Figure(0.9, 0.8, 1.0, 5), "NDCG@10": Figure(0.1)}, {"cold-users": StrataTable(rows, {"gap": 0.5})},
        {"coverage@10": MissingMetric("failed", "why")}, {"fit": 1.0}, {"fit": 1.0}, 5, seed_spread={"RMSE": 0.1},
        n_given=given, warnings=(SanityWarning("few", "text"),),
    )  # fmt: skip


def lines(curve: bool) -> list:
    places = (0, 2) if curve else (None,)
    return [
        *(conditions(given) for given in places),
        Definition("RMSE", {"title": "t", "family": "accuracy", "direction": "lower", "display": ".4f"}),
        Definition("NDCG@10", {"title": "t", "family": "ranking", "direction": "higher"}),
        Definition("cold-users", {"title": "t", "family": "cold start", "figure": "RMSE"}),
        Definition("coverage@10", {"title": "t", "family": "beyond accuracy"}),
        *(summary(model, given, model != "c") for given in places for model in ("a", "b[k=1]", "c")),
        *(Comparison("d", "s", "RMSE", "a", "b[k=1]", 0.1, -0.1, 0.3, 0.2, 0.2, 0.1, 0.1, n_given=s) for s in places),
        Standing("s", "RMSE", ("d", "e", "f"), {"a": 1.0, "b": 2.0}, 0.5, 1.5),
    ]


HOSTILE = st.sampled_from(
    [
        "", "<script>alert(1)</script>", "a|b", "`x`", "a\nb", "\x1b[31mred\x1b[0m", "\x9b31m", "[red]", "\u202eback",
        "../../x", "\0", "$x^2$", "\\frac", "=cmd()", "@SUM(1)", "--><script>", "]]>", "![x](javascript:1)", "#",
        "\uffff", "9" * 300, "{0.__class__}", "%s", ".999999999f", "a b" * 200, "&lt;", "\ud83d", "\u2028", "@10",
    ]
)  # fmt: skip
VALUES = (
    HOSTILE
    | st.none()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.sampled_from([0, 1, -1, 1e308, -1e308, 5e-324, 0.0, True, [], {}, [1], {"x": 1}, {"x": None}])
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, part in inside for place in places(part, (*path, key))]


def put(value: object, path: tuple, new: object, as_key: bool) -> None:
    for key in path[:-1]:
        value = value[key]
    if new is DROP:
        del value[path[-1]]
    elif as_key and isinstance(value, dict):
        value[str(new)] = value.pop(path[-1])
    else:
        value[path[-1]] = new


DROP = object()


def rendered(told: list) -> tuple[str, str]:
    """Everything that is made of these lines: what browsers read, and what they do not."""
    screen = Console(file=io.StringIO(), width=120)
    print_report(told, screen)
    drawn = pictures(told)
    page = "\n".join([markdown_report("run", told, drawn), *(one.svg for one in drawn)])
    return page, "\n".join([screen.file.getvalue(), *csv_files(told).values()])


@pytest.mark.parametrize("curve", [False, True])
@settings(max_examples=50)
@given(data=st.data(), value=VALUES | st.just(DROP), as_key=st.booleans())
def test_lines_with_any_value_anywhere_are_rendered_or_refused(curve, data, value, as_key):
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        run.write_lines(lines(curve))
        told = [json.loads(text) for text in run.records_path.read_text().splitlines()]
        number = data.draw(st.integers(0, len(told) - 1))
        put(told[number], data.draw(st.sampled_from(places(told[number]))), value, as_key)
        run.records_path.write_text("".join(f"{json.dumps(one)}\n" for one in told))
        with contextlib.suppress(CfbenchError):
            page, plain = rendered(list(read_lines(run.records_path)))
            assert "<script>" not in page
            assert not {"\x1b", "\x9b", "\u202e", "\0"} & set(page + plain)

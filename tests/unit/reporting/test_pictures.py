"""Pictures: drawn from the lines alone, the same byte for byte, safe whatever things are called."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from cfbench.records.record import Definition, Figure, Standing, Summary
from cfbench.reporting import plots
from cfbench.reporting.pictures import pictures
from cfbench.reporting.run_report import markdown_report

pytest.importorskip("matplotlib", reason="pictures need the extra `plots`")

STANDING = Standing("holdout", "RMSE", ("a", "b", "c"), {"x": 1.0, "y": 2.0, "z": 3.0}, 0.05, 1.2)


def curve(model: str = "bias") -> list[Summary | Definition]:
    points = {0: Figure(1.5, 1.4, 1.6), 5: Figure(1.2, None, None), 10: Figure(None)}
    return [
        Definition("RMSE", {"family": "accuracy"}),
        *(
            Summary(
                "data", "cold-users", model, "plugin", "1", 1, 1, "", {"RMSE": figure}, {}, {}, {}, {}, 0, n_given=given
            )
            for given, figure in points.items()
        ),
    ]


def texts(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_curve_and_a_standing_have_a_picture_each_and_the_page_shows_them():
    drawn = pictures([*curve(), STANDING])
    assert [one.file for one in drawn] == ["curve-1.svg", "ranks-1.svg"]
    page = markdown_report("run", [*curve(), STANDING], drawn)
    assert "![Curve of data, cold-users](curve-1.svg)" in page


def test_the_words_of_a_picture_are_text():
    (of_curve, of_ranks) = pictures([*curve(), STANDING])
    assert {"bias", "0", "5", "10", "RMSE", "data, cold-users; bars: 95 % intervals"} <= set(texts(of_curve.svg))
    assert {"x (1.00)", "z (3.00)", "critical difference 1.20"} <= set(texts(of_ranks.svg))


def test_the_same_lines_give_the_same_bytes():
    assert pictures([*curve(), STANDING]) == pictures([*curve(), STANDING])


@pytest.mark.parametrize("name", ["</text><script>alert(1)</script>", "a & b", "$x$", "_hidden", "ä ≤ ö"])
def test_no_name_can_break_out_of_a_picture(name):
    standing = replace(STANDING, mean_ranks={name: 1.0, "y": 2.0, "z": 3.0})
    for drawn in pictures([*curve(name), standing]):
        assert any(name in text for text in texts(drawn.svg)), drawn.file
        assert "<script" not in drawn.svg


def test_a_run_without_curves_and_several_data_sets_needs_no_picture_and_no_matplotlib():
    plain = [line for line in curve() if isinstance(line, Definition)]
    assert pictures([*plain, replace(curve()[1], n_given=None)]) == []


def test_without_matplotlib_there_are_tables_only(monkeypatch):
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    assert pictures([*curve(), STANDING]) == []

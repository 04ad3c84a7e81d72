"""Pictures with titles: measured as they are drawn, and safe whatever items are called."""

from xml.etree import ElementTree

import numpy as np
import pytest

from cfbench.reporting.plots import against_popularity, heatmap, histograms, loss_curves, png, style, svg, title_map

pytest.importorskip("matplotlib", reason="pictures need the extra `plots`")

HOSTILE = (
    "$x_1$ & </text><script>",
    "a | b",
    "Amélie ≤ 寅さん",
    "_hidden",
    "A very long title that goes on and on and on (1999)",
)


def crowd(n: int = 40):
    return np.random.default_rng(1).normal(0, 1, (n, 2)), [f"Film number {number} (1999)" for number in range(n)]


def words(text: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]


def test_no_two_titles_of_a_crowded_map_overlap_as_drawn():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    places, titles = crowd()
    with style():
        canvas = title_map(places, titles, heading="crowd", axis_names=("x", "y"))
        png(canvas)
        renderer = FigureCanvasAgg(canvas).get_renderer()
        titled = [one for one in canvas.axes[0].texts if "Film" in one.get_text()]
        for one in titled:
            one.update_positions(renderer)
        found = [Text.get_window_extent(one, renderer) for one in titled]  # the words alone, without the thin line
        axes = canvas.axes[0].get_window_extent(renderer)
    assert len(found) >= 30
    for number, one in enumerate(found):
        assert not any(one.overlaps(other) for other in found[:number])
        assert axes.x0 <= one.x0
        assert one.x1 <= axes.x1


def test_titles_that_found_no_room_are_counted():
    places = np.zeros((300, 2)) + np.arange(300)[:, None] * 1e-6
    with style():
        told = words(svg(title_map(places, [f"Film number {n}" for n in range(300)], heading="h")))
    assert any(text.endswith("titles left out for want of room") for text in told)


def test_titles_are_text_in_the_picture_and_never_formulas_or_markup():
    places, _ = crowd(len(HOSTILE))
    with style():
        text = svg(title_map(places, HOSTILE, heading="hostile"))
    assert set(HOSTILE[:4]) <= set(words(text))
    assert "A very long title that goes on an…" in words(text)
    assert "<script" not in text


def test_the_same_numbers_give_the_same_bytes():
    def drawn():
        with style():
            canvas = title_map(*crowd(), heading="crowd")
            return svg(canvas), png(canvas)

    assert drawn() == drawn()


def test_a_picture_of_popularity_has_plain_numbers_on_its_axis():
    counts, values = np.array([1, 10, 100, 1000]), np.array([0.1, -0.2, 0.3, 0.0])
    with style():
        told = words(svg(against_popularity(counts, values, np.array([2]), ["Big"], "bias", "h")))
    assert {"1", "10", "100", "1,000", "Big"} <= set(told)
    assert not any("$" in text for text in told)


def test_heatmaps_curves_and_histograms_are_drawn():
    with style():
        of_factors = words(svg(heatmap(np.zeros((2, 3)), ["Big", "Emma"], "factors")))
        of_losses = words(svg(loss_curves([1, 2], {"training loss": [2.0, 1.0]}, "losses")))
        of_spread = words(svg(histograms({"lengths": np.arange(9.0), "biases": np.zeros(3)}, "spread")))
    assert {"Big", "Emma", "factors"} <= set(of_factors)
    assert {"training loss", "epoch", "1", "2"} <= set(of_losses)
    assert {"lengths", "biases", "spread"} <= set(of_spread)


@pytest.mark.parametrize("losses", [[1e308, -1e308], [1.7e308, 1.0], [5e-324, 0.0], [np.nan, 1e308]])
def test_losses_of_any_size_are_drawn(losses):
    with style():
        assert "training loss" in words(svg(loss_curves([1, 10**12], {"training loss": losses}, "losses")))


@pytest.mark.parametrize("value", [0.0, 1e16, 3e38, -3e38, 1e-45])
def test_histograms_of_one_value_of_any_size_are_drawn(value):
    with style():
        assert "lengths" in words(svg(histograms({"lengths": np.full(5, value)}, "spread")))

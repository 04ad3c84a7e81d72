"""What each view says of a small model whose answers are known, and of models that lack a power."""

import numpy as np
import pytest

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.gallery import VIEWS, views
from cfbench.analysis.view import InspectedModel, ViewOptions, write_views
from cfbench.errors import UnknownNameError, UsageError
from cfbench.model.protocols import Embeddings
from cfbench.records.record import Epoch
from cfbench.reporting.plots import histograms

N = 30


def catalogue() -> Catalogue:
    """Item i has i + 1 ratings of mean 1 + i / 10."""
    counts = np.arange(1, N + 1)
    titles = np.array([f"Film {number}, The (19{number + 10})" for number in range(N)])
    means = 1 + np.arange(N) / 10
    return Catalogue(titles, titles, np.full(N, ""), counts, counts * means, 3.0)


def inspected(**changes) -> InspectedModel:
    vectors = np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32)
    shown = Embeddings(vectors[:9, :4], vectors, item_biases=np.arange(N) - 10.0)
    losses = (Epoch(1, 2.0, None), Epoch(2, 1.0, None))
    return InspectedModel(
        **{
            "name": "toy",
            "catalogue": catalogue(),
            "embeddings": shown,
            "losses": losses,
            "mean_scores": np.arange(N, 0, -1.0),
            **changes,
        }
    )


def column(view, table: int, name: str) -> list:
    return list(view.tables[table].columns[name])


def test_biases_are_listed_from_both_ends_among_items_with_enough_ratings():
    found = views(inspected(), ViewOptions(n=2, min_ratings=5), ["biases"])["biases"]
    assert column(found, 0, "bias") == [-6, -5]
    assert column(found, 0, "ratings") == [5, 6]
    assert column(found, 1, "bias") == [19, 18]
    assert column(found, 1, "mean rating") == pytest.approx([3.9, 3.8])


def test_neighbours_are_those_of_the_titles_asked_for():
    found = views(inspected(), ViewOptions(near=("film 3", "Film 4"), n=3), ["nearest"])["nearest"]
    assert [one.title for one in found.tables] == ["Nearest to Film 3, The (1913)", "Nearest to Film 4, The (1914)"]
    assert min(column(found, 0, "ratings")) >= 20
    assert column(found, 0, "cosine") == sorted(column(found, 0, "cosine"), reverse=True)


def test_without_a_title_the_neighbours_of_the_most_rated_item_are_shown():
    assert (
        views(inspected(), ViewOptions(by="dot"), ["nearest"])["nearest"]
        .tables[0]
        .title.endswith("Film 29, The (1939)")
    )


def test_an_unknown_title_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'Film 3"):
        views(inspected(), ViewOptions(near=("Flim 3",)), ["nearest"])


def test_shares_of_the_components_add_up_to_one():
    found = views(inspected(), ViewOptions(), ["components"])["components"]
    assert column(found, 0, "together")[-1] == pytest.approx(1)
    assert column(found, 1, "end") == ["low"] * 5 + ["high"] * 5
    assert "11 items with 20 or more" in found.remark


def test_the_best_rated_items_need_more_than_one_good_rating():
    few = catalogue()
    counts = few.counts.copy()
    counts[-1] = 1
    unlucky = Catalogue(few.ids, few.titles, few.genres, counts, counts * few.means, 3.0)
    first = column(views(inspected(catalogue=unlucky), ViewOptions(), ["best"])["best"], 0, "title")
    assert first[0] == "Film 28, The (1938)"
    assert column(views(inspected(), ViewOptions(), ["best"])["best"], 0, "title")[0] == "Film 29, The (1939)"


def test_popularity_is_held_against_bias_and_else_against_mean_scores():
    by_bias = views(inspected(), ViewOptions(), ["popularity"])["popularity"]
    assert column(by_bias, 0, "Spearman") == pytest.approx([1, 1])
    plain = Embeddings(np.zeros((1, 2)), np.zeros((N, 2)))
    by_score = views(inspected(embeddings=plain), ViewOptions(), ["popularity"])["popularity"]
    assert column(by_score, 0, "what")[0] == "mean score over the test users against training ratings"
    assert column(by_score, 0, "Spearman")[0] == pytest.approx(-1)


def test_losses_that_were_never_reported_have_no_column():
    found = views(inspected(), ViewOptions(), ["learning"])["learning"]
    assert list(found.tables[0].columns) == ["epoch", "training loss"]
    assert found.tables[0].notes == ("The model carved no validation part out of its training rows.",)
    both = views(inspected(losses=(Epoch(1, 2.0, 3.0),)), ViewOptions(), ["learning"])["learning"]
    assert column(both, 0, "validation loss") == [3.0]


def test_sides_of_different_length_cannot_be_compared_and_it_is_said():
    found = views(inspected(), ViewOptions(), ["spread"])["spread"]
    assert "9 users with 4 factors, 30 items with 6." in found.remark
    assert "they cannot be compared" in found.remark


def test_a_model_that_shows_nothing_is_told_so_in_every_view():
    mute = inspected(embeddings=None, losses=(), mean_scores=None)
    found = views(mute, ViewOptions(map="tsne"))
    silent = {name: view.remark for name, view in found.items() if not view.tables}
    assert set(silent) == set(VIEWS) - {"best"}
    assert all(remark.startswith("toy ") for remark in silent.values())


def test_without_biases_only_biases_are_missing():
    plain = Embeddings(np.ones((1, 6)), inspected().embeddings.items)
    found = views(inspected(embeddings=plain), ViewOptions())
    assert [name for name, view in found.items() if not (view.tables or view.plots)] == ["biases"]


def test_factors_without_length_are_no_factors():
    found = views(
        inspected(embeddings=Embeddings(np.ones((1, 0)), np.ones((N, 0)), item_biases=np.arange(N) / 1.0)),
        ViewOptions(),
    )
    silent = [name for name, view in found.items() if not (view.tables or view.plots)]
    assert silent == ["nearest", "components", "factors"]


def test_the_map_is_drawn_on_demand_only():
    assert "map" not in views(inspected(), ViewOptions())
    assert "--map tsne" in views(inspected(), ViewOptions(), ["map"])["map"].remark


def test_an_unknown_view_is_answered_by_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown view 'bias'; did you mean 'biases'"):
        views(inspected(), ViewOptions(), ["bias"])


@pytest.mark.parametrize("wrong", [{"n": 0}, {"top": 0}])
def test_lists_have_at_least_one_place(wrong):
    with pytest.raises(UsageError, match="at least 1"):
        ViewOptions(**wrong)


def test_all_of_it_is_written_as_a_page_tables_and_pictures_the_same_each_time(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra `plots`")
    found = views(inspected(), ViewOptions())
    written = write_views(tmp_path / "once", "toy | $x$", ("A fact.",), found, ["svg", "png"])
    again = write_views(tmp_path / "twice", "toy | $x$", ("A fact.",), found, ["svg"])
    names = {path.name for path in written}
    assert {
        "inspect.md",
        "biases-lowest.csv",
        "components.svg",
        "components.png",
        "factors.csv",
        "learning.svg",
    } <= names
    page = (tmp_path / "once" / "inspect.md").read_text()
    assert page.startswith(r"# toy \| \$x\$")
    assert "](components.svg)" in page
    assert {path.name for path in again} == {name for name in names if not name.endswith(".png")}
    for path in again:
        assert path.read_bytes() == (tmp_path / "once" / path.name).read_bytes(), path.name


def test_what_a_killed_writer_left_half_written_goes_with_the_next_one(tmp_path):
    (tmp_path / ".inspect.md.deadbeef.cfbench").write_text("# to")
    written = write_views(tmp_path, "toy", (), {}, [])
    assert list(tmp_path.iterdir()) == written


def test_without_matplotlib_there_are_tables_and_a_page_without_pictures(tmp_path, monkeypatch):
    from cfbench.analysis import view
    from cfbench.reporting import plots

    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    written = view.write_views(tmp_path, "toy", (), views(inspected(), ViewOptions()), ["svg"])
    assert {path.suffix for path in written} == {".csv", ".md"}
    assert "![" not in (tmp_path / "inspect.md").read_text()


def test_vectors_of_length_1_up_to_rounding_have_a_histogram():
    pytest.importorskip("matplotlib", reason="pictures need the extra `plots`")
    lengths = np.array([1.0, np.nextafter(1, 2)])
    (axes,) = histograms({"item vectors: length": lengths}, "Lengths").axes
    assert sum(bar.get_height() for bar in axes.patches) == 2

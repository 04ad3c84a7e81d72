import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from cfbench.data.sources.movietweetings import MovieTweetings100K, MovieTweetingsSample, build
from cfbench.data.sources.source import Storage

NOWHERE = Storage(None, Path("/nowhere"), may_download=False)


@pytest.fixture(scope="module")
def whole():
    return MovieTweetings100K().load(NOWHERE)


@pytest.fixture(scope="module")
def sample():
    return MovieTweetingsSample().load(NOWHERE)


def test_the_embedded_set_has_its_published_size_and_mean(whole):
    assert (len(whole), len(whole.users), len(whole.items)) == (100_000, 16_554, 10_506)
    assert whole.ratings.mean(dtype=np.float64) == pytest.approx(7.32482)
    assert np.count_nonzero(np.bincount(whole.user_index) == 1) == 7_457


def test_embedded_rows_are_in_published_order_with_leading_zeros_titles_and_times(whole):
    assert whole.items.ids[whole.item_index[:3]].tolist() == ["1074638", "1853728", "0104257"]
    assert whole.users.ids[whole.user_index[:3]].tolist() == ["1", "1", "2"]
    assert whole.ratings[:3].tolist() == [7, 8, 8]
    assert whole.timestamps[:3].tolist() == [1365029107, 1366576639, 1364690142]
    assert whole.items.columns["title"][0] == "Skyfall (2012)"
    assert whole.items.columns["genres"][0] == "Action|Adventure|Crime|Thriller"
    assert whole.items.columns["year"][0] == 2012


def test_scale_relevance_and_licence_are_declared(whole):
    assert (whole.scale.low, whole.scale.high, whole.relevant_from) == (0, 10, 8)
    assert whole.origin.licence == "MIT"
    assert "Dooms" in whole.origin.citation


def test_the_content_never_changes_unnoticed(whole, sample):
    assert whole.fingerprint[:16] == "45b6abdc0a0d0c52"
    assert sample.fingerprint[:16] == "6f84cf51b00206e2"


def test_the_sample_has_regulars_newcomers_and_rare_items(sample):
    assert (len(sample), len(sample.users), len(sample.items)) == (4_971, 316, 571)
    of_user, of_item = np.bincount(sample.user_index), np.bincount(sample.item_index)
    assert np.count_nonzero(of_user <= 2) > 100
    assert np.count_nonzero(of_user >= 10) >= 190
    assert np.count_nonzero(of_item <= 2) > 100
    assert np.count_nonzero(of_item >= 20) > 40


def test_sampled_rows_are_rows_of_the_whole(whole, sample):
    def rows(data):
        return set(
            zip(
                data.users.ids[data.user_index],
                data.items.ids[data.item_index],
                data.ratings,
                data.timestamps,
                strict=True,
            )
        )

    assert rows(sample) < rows(whole)


def test_both_are_embedded_and_need_no_folder():
    assert MovieTweetings100K().whereabouts(NOWHERE) == "embedded"
    assert MovieTweetingsSample().whereabouts(NOWHERE) == "embedded"


@pytest.mark.skipif("CFBENCH_DATA" not in os.environ, reason="CFBENCH_DATA names no folder with the published files")
def test_the_folder_of_the_embedded_file_holds_nothing_that_a_cell_needs():
    """Cells may not read it: it tells test ratings."""
    found = {path.name for path in files("cfbench.data.sources").joinpath("embedded").iterdir()}
    assert found == {"LICENSE-MovieTweetings", "README.md", "movietweetings-100k.npz"}


def test_the_embedded_file_is_what_the_build_makes_of_the_published_files(tmp_path):
    published = Path(os.environ["CFBENCH_DATA"]) / "movietweetings-100k"
    if not published.is_dir():
        pytest.skip(f"{published} is not there")
    build(published / "ratings.dat", published / "movies.dat", tmp_path / "built.npz")
    import cfbench.data.sources.movietweetings as source

    shipped = Path(source.__file__).parent / "embedded" / "movietweetings-100k.npz"
    with np.load(tmp_path / "built.npz") as built, np.load(shipped) as embedded:
        assert built.files == embedded.files
        for name in built.files:
            np.testing.assert_array_equal(built[name], embedded[name])

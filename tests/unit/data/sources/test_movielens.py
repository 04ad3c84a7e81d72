"""MovieLens on tiny made-up files; the real files are tested in tests/reference."""

from pathlib import Path

import numpy as np
import pytest

from cfbench.data.sources.movielens import MovieLens1M, MovieLens100K, MovieLensLatestSmall
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError, DataNotFoundError

NO_GENRE = "|".join(["0"] * 19)
COMEDY_DRAMA = "|".join("1" if at in (5, 8) else "0" for at in range(19))


@pytest.fixture
def storage(tmp_path):
    (tmp_path / "data").mkdir()
    return Storage(tmp_path / "data", tmp_path / "cache", may_download=False)


@pytest.fixture
def ml_100k(storage):
    folder = storage.data_dir / "ml-100k"
    folder.mkdir()
    (folder / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t5\t891717742\n196\t377\t1\t878887116\n")
    (folder / "u.item").write_text(
        f"242|Café (1997)|24-Jan-1997||http://x|{COMEDY_DRAMA}\n302|Twin (1995)|||http://y|{NO_GENRE}\n"
        f"377|Twin (1995)|||http://z|{COMEDY_DRAMA}\n9|Never rated (1990)|||http://w|{NO_GENRE}\n",
        encoding="latin-1",
    )
    (folder / "u.user").write_text("186|39|F|executive|00000\n196|49|M|writer|55105\n")
    return folder


def test_ratings_users_and_films_come_together(ml_100k, storage):
    data = MovieLens100K(verify=False).load(storage)
    assert data.users.ids.tolist() == ["196", "186"]
    assert data.users.columns["age"].tolist() == [49, 39]
    assert data.users.columns["gender"].tolist() == ["M", "F"]
    assert data.users.columns["occupation"].tolist() == ["writer", "executive"]
    assert data.users.columns["zip"].tolist() == ["55105", "00000"]
    assert data.items.ids.tolist() == ["242", "302", "377"]
    assert data.items.columns["title"].tolist() == ["Café (1997)", "Twin (1995)", "Twin (1995)"]
    assert data.items.columns["genres"].tolist() == ["Comedy|Drama", "", "Comedy|Drama"]
    assert data.items.columns["year"].tolist() == [1997, 1995, 1995]


def test_by_title_items_of_one_title_are_one(ml_100k, storage):
    data = MovieLens100K(items="title", verify=False).load(storage)
    assert data.name == "ml-100k-titles"
    assert data.items.ids.tolist() == ["Café (1997)", "Twin (1995)"]
    assert data.item_index.tolist() == [0, 1, 1]
    assert data.items.columns["genres"].tolist() == ["Comedy|Drama", ""]
    (ml_100k / "u.item").unlink()
    with pytest.raises(DataError, match=r"no u\.item"):
        MovieLens100K(items="title", verify=False).load(storage)


def test_ratings_alone_are_enough(ml_100k, storage):
    (ml_100k / "u.item").unlink()
    (ml_100k / "u.user").unlink()
    data = MovieLens100K(verify=False).load(storage)
    assert (len(data), dict(data.items.columns), dict(data.users.columns)) == (3, {}, {})


def test_altered_ratings_are_refused_with_the_way_out(ml_100k, storage):
    with pytest.raises(DataError, match=r"u\.data has 3 ratings, but not those published as ml-100k.*verify=false"):
        MovieLens100K().load(storage)


def test_the_folder_itself_may_be_named(ml_100k, storage):
    inside = Storage(ml_100k, storage.cache_dir, may_download=False)
    assert MovieLens100K(verify=False).whereabouts(inside) == str(ml_100k)
    assert len(MovieLens100K(verify=False).load(inside)) == 3


def test_a_broken_line_of_films_or_users_is_named(ml_100k, storage):
    (ml_100k / "u.user").write_text("186|39|F|executive|00000\n196|49|M\n")
    with pytest.raises(DataError, match=r"u\.user, line 2: expected 5 fields, got 3"):
        MovieLens100K(verify=False).load(storage)


def test_what_is_nowhere_is_said_to_be_missing_or_a_download(storage):
    assert MovieLens100K().whereabouts(storage) == "missing (downloads are off)"
    assert MovieLens100K().whereabouts(Storage(None, storage.cache_dir)) == "download (5 MB)"
    with pytest.raises(DataNotFoundError, match="ml-100k is not here and downloads are off"):
        MovieLens100K().load(storage)


def test_one_million_is_read_from_dat_with_latin_1_titles_and_occupations_by_name(storage):
    folder = storage.data_dir / "ml-1m"
    folder.mkdir()
    (folder / "ratings.dat").write_text("1::1193::5::978300760\n2::661::3::978302109\n")
    (folder / "movies.dat").write_text(
        "661::Fée (1996)::Animation|Musical\n1193::Nest (1975)::Drama\n", encoding="latin-1"
    )
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    data = MovieLens1M(verify=False).load(storage)
    assert data.items.columns["title"].tolist() == ["Nest (1975)", "Fée (1996)"]
    assert data.users.columns["occupation"].tolist() == ["K-12 student", "self-employed"]
    assert data.users.columns["age"].tolist() == [1, 56]
    assert data.timestamps.tolist() == [978300760, 978302109]


def latest_small(folder: Path, first_row: str):
    folder.mkdir()
    (folder / "ratings.csv").write_bytes(f"userId,movieId,rating,timestamp\r\n{first_row}\r\n2,7,4.5,5\r\n".encode())
    (folder / "movies.csv").write_text(
        'movieId,title,genres\n1,"Story, A (1995)",Comedy|Drama\n7,Babylon 5,(no genres listed)\n31,Minds,Drama\n'
    )


def test_the_two_snapshots_in_one_folder_name_are_told_apart_by_their_first_row(storage):
    latest_small(storage.data_dir / "ml-latest-small", "1,31,2.5,1260759144")
    assert MovieLensLatestSmall(2018).whereabouts(storage).startswith("missing")
    assert MovieLensLatestSmall("2016").whereabouts(storage).endswith("/ml-latest-small")


def test_quoted_titles_missing_years_and_missing_genres_are_understood(storage):
    latest_small(storage.data_dir / "ml-latest-small-2018", "1,1,4.0,964982703")
    data = MovieLensLatestSmall(verify=False).load(storage)
    assert data.name == "ml-latest-small-2018"
    assert data.items.columns["title"].tolist() == ["Story, A (1995)", "Babylon 5"]
    assert data.items.columns["genres"].tolist() == ["Comedy|Drama", ""]
    np.testing.assert_array_equal(data.items.columns["year"], [1995, np.nan])
    assert (data.scale.low, data.scale.high, data.relevant_from) == (0.5, 5, 4)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="items='name': expected 'id' or 'title'"):
        MovieLens100K(items="name")
    with pytest.raises(ValueError, match="year=2017: expected 2018 or 2016"):
        MovieLensLatestSmall(2017)

"""Tables of users and items beside a file of ratings."""

import numpy as np
import pytest

from cfbench.data.sources.ratings_file import RatingsFile, read_entities
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError, DataNotFoundError


@pytest.fixture
def write(tmp_path):
    def make(text, name="items.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_ids_titles_text_and_numbers_are_told_apart(write):
    found = read_entities(write("year,Movie_ID,Name,genres\n1995,7, Heat ,Crime|Drama\n,9,Jaws,\n"), "item")
    assert found.ids.tolist() == ["7", "9"]
    assert found.columns["title"].tolist() == ["Heat", "Jaws"]
    assert found.columns["genres"].tolist() == ["Crime|Drama", ""]
    assert found.columns["year"].dtype == np.float32
    assert found.columns["year"][0] == 1995
    assert np.isnan(found.columns["year"][1])


def test_without_a_usual_name_the_ids_are_in_the_first_column(write):
    assert read_entities(write("key\tage\na\t3\n", "people.tsv"), "user").ids.tolist() == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("id,title\n1,a\n1,b\n", "id '1' stands in 2 rows"), ("", "is empty"), ("id,title\n", "has no rows")],
)
def test_what_is_no_table_of_entities_is_refused(write, text, said):
    with pytest.raises(DataError, match=said):
        read_entities(write(text), "item")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"table of users .*gone"):
        read_entities(tmp_path / "gone.csv", "user")


def test_a_file_of_ratings_takes_titles_and_features_and_sees_them_change(write, tmp_path):
    ratings = write("user,item,rating\nu,b,1\nv,a,5\nv,c,3\n", "ratings.csv")
    items = write("item,title,year\na,Alpha,1990\nb,Beta,2000\nz,Never rated,1\n")
    source = RatingsFile(str(ratings), items=str(items))
    storage = Storage(None, tmp_path / "cache", may_download=False)
    assert source.load(storage).items.columns["title"].tolist() == ["Beta", "Alpha", ""]
    items.write_text("item,title\na,Changed\n")
    assert source.load(storage).items.columns["title"].tolist() == ["", "Changed", ""]

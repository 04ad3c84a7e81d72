import numpy as np
import pytest

from cfbench.data.sources.movielens import read_titles, years
from cfbench.errors import DataError


def test_the_year_is_the_last_one_in_brackets():
    titles = [
        "Toy Story (1995)",
        "Land (1995) (V)",
        "2001 (1968) ",
        "Deco (1999) (2004)",
        "Babylon 5",
        "Show (2006-2007)",
    ]
    np.testing.assert_array_equal(years(titles), [1995, 1995, 1968, 2004, np.nan, 2006])


def test_a_row_with_missing_fields_is_named(tmp_path):
    path = tmp_path / "movies.dat"
    path.write_text("1::A (2000)::Drama\n2::B (2001)\n")
    with pytest.raises(DataError, match=r"movies\.dat, line 2: expected item id, title and genres, got 2 fields"):
        read_titles(path)

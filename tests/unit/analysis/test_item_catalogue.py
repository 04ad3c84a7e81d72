"""The items of a training part, as readers know them."""

from dataclasses import replace

import numpy as np
import pytest

from cfbench.analysis.catalogue import Catalogue
from cfbench.data.dataset import Entities
from cfbench.data.splits.split import Fold, Split

ROWS = [(0, 0, 5), (0, 1, 3), (1, 1, 4), (1, 2, 1), (0, 3, 2)]


@pytest.fixture
def split(make_dataset) -> Split:
    dataset = make_dataset([*ROWS, (1, 0, 3)])
    titles, genres = np.array(["Emma", "Big", "Emma", ""]), np.array(["Drama", "Comedy|Drama", "", ""])
    dataset = replace(dataset, items=Entities(dataset.items.ids, {"title": titles, "genres": genres}))
    return Split.of(dataset, "by-hand", Fold("", np.array([4, 3, 2, 1, 0]), np.array([5])))


def test_titles_follow_the_codes_and_no_two_are_the_same(split):
    known = Catalogue.of(split)
    assert known.ids.tolist() == ["i3", "i2", "i1", "i0"]
    assert known.titles.tolist() == ["i3", "Emma [i2]", "Big", "Emma [i0]"]
    assert known.genres.tolist() == ["", "", "Comedy|Drama", "Drama"]


def test_counts_and_means_are_those_of_training(split):
    known = Catalogue.of(split)
    assert known.counts.tolist() == [1, 1, 2, 1]
    assert known.means == pytest.approx([2, 1, 3.5, 5])
    assert known.titles[known.by_count].tolist() == ["Big", "Emma [i0]", "Emma [i2]", "i3"]


def test_data_without_titles_go_by_their_ids(make_split):
    known = Catalogue.of(make_split(ROWS, [(1, 0, 3)]))
    assert known.titles.tolist() == ["i0", "i1", "i2", "i3"]
    assert set(known.genres) == {""}

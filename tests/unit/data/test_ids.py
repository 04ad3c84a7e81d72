"""Raw ids against codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cfbench.data import dataset
from cfbench.data.dataset import Coding


def test_codes_follow_first_appearance_in_training_and_the_unknown_is_n():
    coding = Coding.of(np.array([7, 2, 7, 5], dtype=np.int32), table_size=9)
    assert coding.positions.tolist() == [7, 2, 5]
    assert coding.codes(np.array([7, 2, 5, 0, 8], dtype=np.int32)).tolist() == [0, 1, 2, 3, 3]


def test_the_first_appearance_counts_across_the_chunks_that_rows_are_numbered_in(monkeypatch):
    monkeypatch.setattr(dataset, "_CHUNK", 3)
    coding = Coding.of(np.array([4, 4, 1, 0, 1, 3, 4, 2], dtype=np.int32), table_size=6)
    assert coding.positions.tolist() == [4, 1, 0, 3, 2]


def test_codes_translate_back_to_ids_and_the_unknown_code_raises():
    coding = Coding.of(np.array([1, 0], dtype=np.int32), table_size=3)
    table = np.array(["a", "b", "c"])
    assert coding.ids(table, np.array([0, 1])).tolist() == ["b", "a"]
    with pytest.raises(IndexError):
        coding.ids(table, np.array([2]))


@given(hnp.arrays(np.int32, st.integers(1, 60), elements=st.integers(0, 19)))
def test_coding_is_a_bijection_between_training_entities_and_codes(training):
    coding = Coding.of(training, table_size=20)
    n = len(np.unique(training))
    assert len(coding) == n
    assert coding.codes(coding.positions).tolist() == list(range(n))
    assert coding.positions[coding.codes(training)].tolist() == training.tolist()
    absent = np.setdiff1d(np.arange(20), training).astype(np.int32)
    assert (coding.codes(absent) == n).all()

import numpy as np
import pytest
import surprise
from hypothesis import given, settings
from hypothesis import strategies as st
from surprise.model_selection import KFold

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.errors import DataError
from cfbench.model import RatingScale
from cfbench_surprise.kfold import SurpriseKFold


def dataset(n):
    """``n`` ratings of one item, each by its own user; row r is user ``r``."""
    return Dataset(
        name="tiny",
        users=Entities(np.array([str(row) for row in range(n)])),
        items=Entities(np.array(["0"])),
        user_index=np.arange(n, dtype=np.int32),
        item_index=np.zeros(n, dtype=np.int32),
        ratings=np.full(n, 3, dtype=np.float32),
        timestamps=None,
        scale=RatingScale(1, 5),
        relevant_from=4,
        origin=Origin(licence="none", citation="none"),
    )


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 60), k=st.integers(2, 7), random_state=st.integers(0, 2**32 - 1))
def test_folds_are_the_librarys_rows_in_the_librarys_order(n, k, random_state):
    if k > n:
        return
    theirs = surprise.Dataset(surprise.Reader())
    theirs.raw_ratings = [(row, 0, 3.0, None) for row in range(n)]
    folds = SurpriseKFold(k=k, random_state=random_state).folds(dataset(n), seed=99)
    published = list(KFold(k, random_state=random_state).split(theirs))
    assert len(folds) == len(published) == k
    for fold, (trainset, testset) in zip(folds, published, strict=True):
        assert fold.train_rows.tolist() == [trainset.to_raw_uid(inner) for inner in trainset.all_users()]
        assert fold.test_rows.tolist() == [row for row, _, _ in testset]


def test_folds_are_named_by_their_number():
    assert [fold.name for fold in SurpriseKFold(k=3).folds(dataset(9), seed=0)] == ["1/3", "2/3", "3/3"]


@pytest.mark.parametrize("k", [1, 10])
def test_a_number_of_folds_that_the_rows_do_not_allow_is_refused(k):
    with pytest.raises(DataError, match=r"surprise-kfold needs 2 to 9 folds for the 9 rows of 'tiny', got k="):
        SurpriseKFold(k=k).folds(dataset(9), seed=0)

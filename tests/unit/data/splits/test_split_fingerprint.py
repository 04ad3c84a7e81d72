import numpy as np

from cfbench.data.splits.split import Fold, Split


def fingerprint(data, train, test, n_given=None):
    fold = Fold("", np.array(train), np.array(test), n_given)
    return Split.of(data, "s", fold).fingerprint


def test_two_rows_that_change_places_change_the_fingerprint_although_all_counts_stay(make_dataset):
    # Both users have two ratings in training and one in the test either way: a key over counts would not notice.
    data = make_dataset([(0, 0, 3), (0, 1, 3), (0, 2, 3), (1, 0, 3), (1, 1, 3), (1, 2, 3)])
    before = fingerprint(data, [0, 1, 3, 4], [2, 5])
    assert fingerprint(data, [0, 1, 3, 4], [2, 5]) == before
    assert fingerprint(data, [0, 2, 3, 4], [1, 5]) != before


def test_a_row_that_moves_from_one_part_to_the_other_changes_the_fingerprint(make_dataset):
    data = make_dataset([(0, item, 3) for item in range(4)])
    assert fingerprint(data, [0, 1], [2, 3]) != fingerprint(data, [0, 1, 2], [3])


def test_the_order_of_rows_is_part_of_the_split(make_dataset):
    data = make_dataset([(0, item, 3) for item in range(4)])
    assert fingerprint(data, [0, 1], [2, 3]) != fingerprint(data, [1, 0], [2, 3])


def test_the_point_of_the_curve_goes_with_the_split(make_dataset):
    data = make_dataset([(0, item, 3) for item in range(4)])
    assert Split.of(data, "s", Fold("s=2", np.array([0]), np.array([1]), 2)).n_given == 2
    assert Split.of(data, "s", Fold("", np.array([0]), np.array([1]))).n_given is None

"""Asking again: what counts as another answer, and what does not."""

import numpy as np
import pytest

from cfbench.inference import asked_again as module
from cfbench.inference.asked_again import KeptScores, batches, changes, ratings_again

PAIRS = np.array([[0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0]], dtype=np.int32)
FIRST = PAIRS[0].astype(np.float32)


def asked(answer, first=FIRST):
    return ratings_again(PAIRS, first, answer, width=4.0, seed=0).tolist()


def test_every_question_comes_once_in_batches_of_other_sizes():
    found = list(batches(100, seed=0))
    assert [len(batch) for batch in found] == [1, 64, 35]
    assert sorted(np.concatenate(found).tolist()) == list(range(100))
    assert list(batches(0, seed=0)) == []


def test_equal_answers_do_not_differ():
    assert asked(lambda users, items: users.astype(np.float32)) == [0, 0]


def test_ratings_differ_in_rating_units():
    assert asked(lambda users, items: np.where(users == 3, 5, users).astype(np.float32)) == [0.125, 2]


@pytest.mark.parametrize(("gap", "differs"), [(3e-4, False), (5e-4, True)])
def test_a_ten_thousandth_of_the_scale_is_tolerated(gap, differs):
    share, size = asked(lambda users, items: np.where(users == 0, gap, users).astype(np.float32))
    assert (share > 0) is differs
    assert size == pytest.approx(gap, rel=1e-3)


def test_what_single_precision_loses_is_tolerated():
    far = np.float32(1e6)
    assert asked(lambda users, items: np.nextafter(far, np.inf) + 0 * users, first=0 * FIRST + far)[0] == 0


def test_a_hole_that_comes_or_goes_is_a_difference_and_one_that_stays_is_none():
    first = np.where(FIRST < 2, np.nan, FIRST).astype(np.float32)
    share, size = asked(lambda users, items: np.where(users == 0, np.nan, users).astype(np.float32), first)
    assert (share, size) == (0.125, 0)


def test_of_many_pairs_some_are_asked_again(monkeypatch):
    monkeypatch.setattr(module, "MOST_PAIRS", 3)
    seen = []
    asked(lambda users, items: seen.extend(users.tolist()) or users.astype(np.float32))
    assert len(set(seen)) == len(seen) == 3


def kept(scores, users=(5, 2, 9)):
    users = np.array(users, dtype=np.int32)
    found = KeptScores(users, scores.shape[1], seed=0)
    found.keep(users[:1], scores[:1])
    found.keep(users[1:], scores[1:])
    return found


SCORES = np.array([[1.0, 2, 3, np.nan], [10, 20, 30, 40], [0, 0, 0, 0]])
ROW = {5: 0, 2: 1, 9: 2}


def rows(users):
    return SCORES[[ROW[user] for user in users.tolist()]]


def test_scores_are_compared_with_those_of_their_own_users():
    assert kept(SCORES).changes(rows, seed=0).tolist() == [0, 0]


def test_scores_differ_in_standard_deviations_of_a_users_scores():
    def moved(users):
        return rows(users) + np.where(users == 2, 10, 0)[:, None]

    share, size = kept(SCORES).changes(moved, seed=0)
    spread = np.sqrt((2 + 500) / 11)  # squared distances from the users' means over all that is no hole
    assert share == pytest.approx(4 / 12)
    assert size == pytest.approx(10 / spread)


def test_scores_far_from_zero_differ_by_what_changes_their_order():
    far = SCORES[1:2] + 1e4
    share, _ = kept(far, [2]).changes(lambda users: far[:, ::-1], seed=0)
    assert share == 1


def test_scores_of_few_users_are_kept(monkeypatch):
    monkeypatch.setattr(module, "_MOST_SCORES", 100)
    assert len(KeptScores(np.arange(1000, dtype=np.int32), 10, seed=0).users) == 10
    assert len(KeptScores(np.arange(1000, dtype=np.int32), 1000, seed=0).users) == 2


def test_constant_scores_do_not_differ():
    zeros = np.zeros((2, 3))
    assert changes(zeros, zeros, 0.0).tolist() == [0, 0]

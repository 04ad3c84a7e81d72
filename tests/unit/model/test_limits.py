"""Hyperparameters outside their limits are refused by name."""

from types import SimpleNamespace

import numpy as np
import pytest

from cfbench.model.limits import (
    require_at_least,
    require_choice,
    require_fraction,
    require_positive,
    require_unit_interval,
    require_whole,
)


@pytest.mark.parametrize(
    ("demand", "expected", "good", "bad"),
    [
        (lambda model: require_at_least(model, 1, "n"), "a number of at least 1", 1, 0.9),
        (lambda model: require_positive(model, "n"), "a number above 0", 1e-9, 0),
        (lambda model: require_unit_interval(model, "n"), "a number from 0 to 1", 1, 1.1),
        (lambda model: require_fraction(model, "n"), "a number above 0 and below 1", 0.5, 1),
        (lambda model: require_whole(model, 2, "n"), "a whole number of at least 2", 2, 2.5),
    ],
)
def test_the_first_wrong_one_is_named_with_what_was_expected(demand, expected, good, bad):
    demand(SimpleNamespace(n=good))
    demand(SimpleNamespace(n=None))
    for wrong in (bad, float("nan"), float("inf"), True, "1"):
        with pytest.raises(ValueError, match=rf"^n={wrong!r}: expected {expected}$"):
            demand(SimpleNamespace(n=wrong))


def test_a_choice_is_refused_with_all_that_there_is():
    require_choice(SimpleNamespace(order="time"), ("random", "time"), "order")
    with pytest.raises(ValueError, match=r"^order='size': expected 'random' or 'time'$"):
        require_choice(SimpleNamespace(order="size"), ("random", "time"), "order")


def test_numbers_of_numpy_are_numbers():
    require_whole(SimpleNamespace(n=np.int64(3)), 1, "n")
    require_positive(SimpleNamespace(n=np.float32(0.5)), "n")

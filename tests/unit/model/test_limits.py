"""Hyperparameters outside their limits are refused by name."""

from types import SimpleNamespace

import pytest

from cfbench.model.limits import require_at_least, require_positive, require_share


@pytest.mark.parametrize(
    ("demand", "expected", "good", "bad"),
    [
        (lambda model: require_at_least(model, 1, "n"), "a number of at least 1", 1, 0.9),
        (lambda model: require_positive(model, "n"), "a number above 0", 1e-9, 0),
        (lambda model: require_share(model, "n"), "a number from 0 to 1", 1, 1.1),
    ],
)
def test_the_first_wrong_one_is_named_with_what_was_expected(demand, expected, good, bad):
    demand(SimpleNamespace(n=good))
    demand(SimpleNamespace(n=None))
    for wrong in (bad, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"^n={wrong}: expected {expected}$"):
            demand(SimpleNamespace(n=wrong))

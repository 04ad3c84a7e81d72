"""The scaffold of all attacks: honest models alone, in an environment of their own."""

from __future__ import annotations

HONEST = ("honestnoise", "bias", "popular")


def test_honest_models_equal_themselves_and_nothing_lingers(run, alone):
    first, again = alone("-s", "kfold[k=2]"), run(HONEST, "-s", "kfold[k=2]", "--jobs", "2")
    assert (first.code, again.code) == (0, 0), first.said
    assert first.figures(HONEST) == again.figures(HONEST) != {}
    assert first.left == again.left == []
    assert first.temporary == again.temporary == []

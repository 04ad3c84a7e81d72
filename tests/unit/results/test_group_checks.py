"""A model that is far ahead of capable others is told, one that is ahead of weak ones, or by little, is not."""

from __future__ import annotations

import numpy as np
import pytest

from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Holdout
from cfbench.evaluation.simple_predictors import SimplePredictors
from cfbench.experiment.split_plans import Splits
from cfbench.records.record import Figure, Summary
from cfbench.results.group_checks import with_warnings_of_group


@pytest.fixture(scope="module")
def splits(tmp_path_factory) -> Splits:
    dataset = Synthetic().load(Storage(None, tmp_path_factory.mktemp("cache"), may_download=False))
    split = Split.of(dataset, "holdout", Holdout().folds(dataset, 0)[0])

    class One(Splits):
        def of(self, cell):
            return split

    return One()


@pytest.fixture
def told(splits):
    """Return the models that are warned about, of errors in RMSE of biases, by ``distribution/model``."""
    simple = SimplePredictors(splits.of(None))
    by_biases = np.sqrt(np.mean(np.square(simple.damped_biases - simple.split.test.ratings)))

    def check(errors, spread=0.001, cells=1):
        rng = np.random.default_rng(0)
        summaries, samples = [], {}
        for name, error in errors.items():
            figures = {} if error is None else {"RMSE": Figure(error * by_biases)}
            one = Summary(
                dataset="d", split="s", model=name, distribution=name.split("/")[0], version="1", cells=cells,
                finished=1, reason="", metrics=figures, tables={}, missing={}, seconds={}, cpu_seconds={},
                peak_memory=0,
            )  # fmt: skip
            summaries.append(one)
            if error is not None:
                samples[name, "RMSE"] = by_biases * rng.normal(error, spread, 1000)
        checked = with_warnings_of_group(summaries, samples, [None], splits)
        assert [one.model for one in checked] == list(errors)
        return {one.model: [warning.text for warning in one.warnings] for one in checked if one.warnings}

    return check


CAPABLE = {"a/one": 0.95, "b/two": 0.96, "c/three": 0.97, "d/four": 1.1, "e/ranker": None}


def test_a_model_far_ahead_of_three_capable_others_is_told_with_their_best(told):
    ((model, (text,)),) = told({**CAPABLE, "x/oracle": 0.85}).items()
    assert model == "x/oracle"
    assert "11% below" in text
    assert "of a/one, the best of 3 other distributions' models" in text


def test_twins_of_one_distribution_do_not_excuse_each_other(told):
    assert set(told({**CAPABLE, "x/oracle": 0.8, "x/twin": 0.81})) == {"x/oracle", "x/twin"}


@pytest.mark.parametrize(
    "errors",
    [
        {**CAPABLE, "x/good": 0.9},
        {"a/one": 1.2, "b/two": 1.1, "c/three": 1.05, "x/good": 0.85},
        {"a/one": 0.95, "a/two": 0.95, "a/three": 0.95, "x/good": 0.85},
        {"x/good": 0.5},
        {"x/good": 0.5, "x/bad": 1.0},
    ],
    ids=["by little", "of weak ones", "of one distribution", "alone", "of its own distribution"],
)
def test_whoever_is_ahead_by_little_or_of_weak_ones_is_left_in_peace(told, errors):
    assert told(errors) == {}


def test_what_is_not_certain_or_not_complete_is_not_told(told):
    assert told({**CAPABLE, "x/oracle": 0.85}, spread=0.1) == {}
    assert told({**CAPABLE, "x/oracle": 0.85}, cells=2) == {}

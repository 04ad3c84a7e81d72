"""Cost metrics read the cell's clock and say what they cannot know."""

import math
from dataclasses import replace

import pytest

from cfbench.evaluation.metrics.metric import NotApplicable, Single
from cfbench.evaluation.metrics.resource_use import (
    EnergyUsed,
    FitCPUSeconds,
    FitSeconds,
    ModelSize,
    PeakMemory,
    PredictSeconds,
    RatingsPerSecond,
)
from cfbench.resources.cost import Cost

COST = Cost(
    seconds={"import": 9.0, "load": 8.0, "fit": 0.5, "predict": 0.25, "rank": 7.0},
    cpu_seconds={"import": 9.0, "fit": 1.5, "predict": 0.5},
    peak_memory=3 * 2**20,
    model_bytes=2**19,
    energy_kwh=0.0025,
)
ALL = (FitSeconds, FitCPUSeconds, PredictSeconds, RatingsPerSecond, PeakMemory, ModelSize, EnergyUsed)


@pytest.fixture
def measured(make_evaluation):
    """What a metric says of a cell with three training rows, two test rows and some cost."""
    evaluation = make_evaluation([(0, 0, 3), (0, 1, 3), (1, 0, 3)], [(1, 1, 4), (0, 2, 4)], [4, 4])
    return lambda metric, cost=COST: metric.measure(replace(evaluation, cost=cost))


@pytest.mark.parametrize(
    ("metric", "name", "value", "n"),
    [
        (FitSeconds(), "fit-seconds", 0.5, 3),
        (FitCPUSeconds(), "fit-CPU-seconds", 1.5, 3),
        (PredictSeconds(), "predict-seconds", 0.25, 2),
        (RatingsPerSecond(), "ratings-per-second", 3 / 0.5, 3),
        (PeakMemory(), "peak-memory-MiB", 3.0, 3),
        (ModelSize(), "model-size-MiB", 0.5, 3),
        (EnergyUsed(), "energy-kWh", 0.0025, 3),
    ],
)
def test_each_is_one_figure_of_its_own_part_of_the_cell(measured, metric, name, value, n):
    assert metric.name == name
    assert measured(metric) == Single(value, n)


def test_imports_loading_and_the_cutting_of_lists_cost_the_model_nothing(measured):
    slow = replace(COST, seconds={**COST.seconds, "import": 1e6, "load": 1e6, "rank": 1e6})
    for metric in (FitSeconds(), PredictSeconds(), RatingsPerSecond()):
        assert measured(metric, slow) == measured(metric)


def test_a_model_without_save_has_no_size(measured):
    assert measured(ModelSize(), replace(COST, model_bytes=None)) == NotApplicable("the model was not saved")


def test_a_meter_that_gave_no_figure_is_the_reason_told(measured):
    failed = replace(COST, energy_kwh=None, energy_method="not metered: it broke")
    assert measured(EnergyUsed(), failed) == NotApplicable("not metered: it broke")


@pytest.mark.parametrize("metric", [kind() for kind in ALL], ids=lambda metric: metric.name)
def test_what_was_not_measured_is_not_applicable_and_never_zero(measured, metric):
    assert isinstance(measured(metric, Cost()), NotApplicable)


def test_a_fit_too_short_for_the_clock_has_no_speed(measured):
    assert math.isnan(measured(RatingsPerSecond(), replace(COST, seconds={"fit": 0.0})).value)


@pytest.mark.parametrize("kind", ALL)
def test_they_are_a_family_of_their_own_with_a_unit_and_need_no_answers(kind):
    contract = kind.contract
    special = {ModelSize: ("saved-model",), EnergyUsed: ("energy",)}
    assert (contract.family, contract.needs) == ("cost", special.get(kind, ("cost",)))
    assert contract.unit in {"s", "ratings/s", "MiB", "kWh"}
    assert contract.direction == ("higher" if kind is RatingsPerSecond else "lower")
    assert f"{1234.5678:{contract.display}}".startswith("1.23" if kind is EnergyUsed else "1,23")

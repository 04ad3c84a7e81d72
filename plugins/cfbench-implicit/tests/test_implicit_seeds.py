"""Seeds are derived from parameters by name: renamed parameters keep the seeds that they had under their old names."""

import pytest

from cfbench.experiment.plan import model_seed
from cfbench.records.cell import Cell
from cfbench.registry.registry import Registry
from cfbench.spec import Spec


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("implicit-als[n_factors=8]", 9219334149344334468),
        ("implicit-bpr", 2578492514464584382),
        ("implicit-lmf", 152799238073433428),
    ],
)
def test_a_renamed_parameter_leaves_the_seed_as_it_was(text, seed):
    registry, spec = Registry.discover(), Spec.parse(text)
    declared = registry.named("model", spec.name).declaration
    params = registry.parameters("model", spec)
    cell = Cell("d", "s", "1/5", "f" * 64, text, params, "d", "1", "", base_seed=0, repeat=0, list_length=10)
    assert model_seed(cell, declared.seed_names) == seed

"""A cell's model fitted again: the same seed and parameters, and failures that are named."""

import signal
from types import SimpleNamespace
from typing import ClassVar

import pytest

from cfbench.analysis import finished_cell
from cfbench.analysis.finished_cell import FinishedCell, plugin_of
from cfbench.errors import ModelError, UsageError
from cfbench.experiment.plan import model_seed
from cfbench.records.cell import Cell
from cfbench.records.record import Record
from cfbench.registry.registry import Plugin, Registry
from cfbench.spec import derived_seed


class Listens:
    """Keeps what it was given."""

    def __init__(self, sizes=()):
        self.sizes = sizes

    def fit(self, train, context):
        self.context = context


class Raises(Listens):
    def fit(self, train, context):
        raise SystemExit("no such luck")


class Interrupts(Listens):
    def fit(self, train, context):
        raise KeyboardInterrupt("no such luck")


class Own(BaseException):
    pass


class RaisesOwn(Listens):
    def fit(self, train, context):
        raise Own("no such luck")


class Interrupted(Listens):
    def fit(self, train, context):
        signal.raise_signal(signal.SIGINT)


def cell(**params) -> Cell:
    return Cell("d", "s", "", "f" * 64, "toy[a=1]", params, "toys", "1", "", 7, 2, 10, threads=1)


@pytest.fixture
def finished(monkeypatch):
    """Make a finished cell whose model is a class of this module."""

    def make(cls, cell):
        monkeypatch.setattr(finished_cell, "prepare", lambda value, who: cls)
        declaration = SimpleNamespace(seed_names=getattr(cls, "seed_names", {}))
        plugin = SimpleNamespace(value="toys:Toy", declaration=declaration)
        return FinishedCell(None, Record(cell, "ok"), None, plugin, None, print)

    return make


def test_the_seed_is_the_one_of_the_plan_whatever_version_the_plugin_has():
    expected = derived_seed(7, split="f" * 64, model="toy", params={"sizes": [3, 2]}, repeat=2)
    assert model_seed(cell(sizes=[3, 2]), {}) == model_seed(cell(sizes=(3, 2)), {}) == expected


def test_a_renamed_parameter_keeps_its_seed(finished):
    class Renamed(Listens):
        seed_names: ClassVar[dict[str, str]] = {"sizes": "layers"}

    expected = derived_seed(7, split="f" * 64, model="toy", params={"layers": [3, 2]}, repeat=2)
    assert model_seed(cell(sizes=[3, 2]), Renamed.seed_names) == expected
    assert finished(Renamed, cell(sizes=[3, 2])).refit(None).context.seed == expected


def test_lists_that_came_out_of_json_are_tuples_again(finished):
    model = finished(Listens, cell(sizes=[3, 2])).refit(None)
    assert model.sizes == (3, 2)
    assert model.context.seed == model_seed(cell(sizes=[3, 2]), {})
    assert finished(Listens, cell()).refit(None, seed=5).context.seed == 5


@pytest.mark.parametrize(
    ("model", "name"), [(Raises, "SystemExit"), (Interrupts, "KeyboardInterrupt"), (RaisesOwn, "Own")]
)
def test_whatever_a_model_raises_is_its_own_failure(finished, capsys, model, name):
    with pytest.raises(ModelError, match=rf"toy\[a=1\] failed: {name}: no such luck"):
        finished(model, cell()).refit(None)
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_by_a_signal_is_no_failure_of_the_model(finished, capsys):
    with pytest.raises(KeyboardInterrupt):
        finished(Interrupted, cell()).refit(None)
    assert capsys.readouterr().err == ""


def test_a_plugin_that_cannot_be_used_is_named():
    registry = Registry([Plugin("model", "toy", "nowhere:Toy", "toys", "1")])
    with pytest.raises(UsageError, match=r"model toy\[a=1\] of toys cannot be used: "):
        plugin_of(cell(), registry)

"""``Saved`` writes what a model declares and reads it back to the bit, nested parts included."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from cfbench.errors import ModelError, StoreError
from cfbench.model import Features, Matrix, Saved, Vector, Vocabulary, load_parts, save_parts
from cfbench.registry.declaration import declaration_of


@dataclass(frozen=True, eq=False)
class Biases:
    mean: float
    users: np.ndarray
    words: Vocabulary | None = None


@dataclass(frozen=True, eq=False)
class Factors:
    biases: Biases
    sizes: tuple[int, ...]
    rows: np.ndarray


class Remembers(Saved, device_=str):
    """A base between: it declares an attribute, but no kind."""

    device_: str


@dataclass
class Nested(Remembers, kind="test.nested.1", factors_=Factors, extra_=Biases | None, counts_=np.ndarray):
    """Keeps parts within parts."""

    layers: tuple[int, ...] = (3, 2)
    low: float | None = None

    def after_load(self):
        self.total_ = int(self.counts_.sum())


def fitted(extra=None):
    model = Nested(layers=(5,), low=0.1 + 0.2)
    words = Vocabulary.of(Features({"genres": np.array(["a|b", ""]), "a.b/c": np.array([1.5, np.nan])}))
    model.factors_ = Factors(Biases(1 / 3, np.array([0.1, np.nan]), words), (4, 2), np.eye(2, dtype=np.float32))
    model.extra_, model.counts_, model.device_ = extra, np.arange(4), "cpu"
    return model


def reloaded(model, folder):
    model.save(folder)
    return Nested.load(folder)


def test_hyperparameters_and_nested_state_come_back_to_the_bit(tmp_path):
    model, found = fitted(), reloaded(fitted(), tmp_path)
    assert found == model  # the dataclass compares hyperparameters
    assert (found.layers, found.factors_.sizes, found.device_, found.extra_) == ((5,), (4, 2), "cpu", None)
    assert found.factors_.biases.mean == 1 / 3
    assert found.factors_.rows.dtype == np.float32
    np.testing.assert_array_equal(found.factors_.biases.users, model.factors_.biases.users)
    assert found.factors_.biases.words.names == model.factors_.biases.words.names


def test_a_part_that_may_be_missing_comes_back_where_it_is_there(tmp_path):
    found = reloaded(fitted(Biases(2.0, np.zeros(3))), tmp_path)
    assert (found.extra_.mean, found.extra_.words, len(found.extra_.users)) == (2.0, None, 3)


def test_what_is_derived_is_made_again(tmp_path):
    assert reloaded(fitted(), tmp_path).total_ == 6


def test_the_files_of_another_kind_are_refused(tmp_path):
    @dataclass
    class Other(Saved, kind="test.other.1", counts_=np.ndarray):
        pass

    fitted().save(tmp_path)
    with pytest.raises(StoreError, match=r"describes 'test\.nested\.1', expected 'test\.other\.1'"):
        Other.load(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "facts"),
    [
        ({}, {}),
        ({}, {"parameters": {}, "state": {"device_": "cpu"}}),
        ({}, {"parameters": {"depth": 2}, "state": {}}),
        ({"factors_.rows": np.zeros(1)}, {"parameters": {}, "state": {"factors_": None}}),
        ({}, {"parameters": {}, "state": {"factors_": {"odd": 1}, "device_": "", "extra_": None, "counts_": None}}),
    ],
)
def test_parts_that_are_not_the_declared_ones_are_refused(tmp_path, arrays, facts):
    save_parts(tmp_path, "test.nested.1", arrays, facts)
    with pytest.raises(StoreError, match=r"holds other parts than a model of 'test\.nested\.1' has"):
        Nested.load(tmp_path)


def changed(folder, change):
    """Save a model anew after ``change`` has been made to its arrays and facts; the seal is whole."""
    fitted().save(folder)
    arrays, facts = load_parts(folder, "test.nested.1")
    change(arrays, facts)
    save_parts(folder, "test.nested.1", arrays, facts)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a, f: f["state"].pop("device_"), r"state lacks \['device_'\] and has \[\]"),
        (lambda a, f: a.update(more_=np.zeros(1)), r"state lacks \[\] and has \['more_'\]"),
        (lambda a, f: a.pop("counts_"), r"state\.counts_ is None, expected numpy\.ndarray"),
        (
            lambda arrays, facts: arrays.update({"factors_.odd": np.zeros(1)}),
            r"state\.factors_ lacks \[\] and has \['odd'",
        ),
        (
            lambda arrays, facts: arrays.update({"device_": np.zeros(1)}),
            r"device_ is float64 of shape \(1,\), expected str",
        ),
        (lambda a, f: f["state"].update(device_=3), r"state\.device_ is 3, expected str"),
        (
            lambda arrays, facts: facts["state"]["factors_"].update(sizes=[1, "b"]),
            r"factors_\.sizes is 'b', expected int",
        ),
        (
            lambda arrays, facts: facts["state"]["factors_"].update(sizes=[True]),
            r"factors_\.sizes is True, expected int",
        ),
        (
            lambda arrays, facts: facts["state"]["factors_"]["biases"].update(mean="x"),
            r"biases\.mean is 'x', expected float",
        ),
        (lambda a, f: f["parameters"].pop("low"), r"parameters lacks \['low'\]"),
        (lambda a, f: f["parameters"].update(low="x"), r"parameters\.low is 'x', expected float"),
        (lambda a, f: f["parameters"].update(layers=3), r"parameters\.layers is 3, expected tuple"),
        (lambda a, f: a.update({"factors_.biases.words.marks_1": np.eye(2)}), r"must be a 1-d array"),
        (lambda a, f: a.update({"factors_.biases.words.columns": np.ones(2)}), r"columns are texts"),
    ],
)
def test_a_part_of_another_name_or_type_is_refused_by_its_name(tmp_path, change, why):
    changed(tmp_path, change)
    with pytest.raises(StoreError, match=why):
        Nested.load(tmp_path)


@dataclass
class Typed(Saved, kind="test.typed.1", one_=Vector[np.float64], two_=Matrix, rows_=np.ndarray, n_=Vector[np.integer]):
    """Keeps arrays of stated kinds and axes, and hyperparameters of more than one type."""

    mode: Literal["a", "b"] | tuple[float, float] | None = "a"
    rate: float = 1
    anything: Any = None

    def after_load(self):
        if self.rows_.size == 0:
            raise RuntimeError("no rows to go on with")

    def predict(self, users, items):
        return self.one_[users] + self.two_[0, items]


def typed(**arrays):
    model = Typed(mode=arrays.pop("mode", "a"))
    usual = {"one_": np.zeros(3), "two_": np.ones((2, 3)), "rows_": np.ones(2), "n_": np.arange(2)}
    vars(model).update(usual | arrays)
    return model


@pytest.mark.parametrize("mode", ["a", (0.5, 2.0), None])
@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"one_": np.zeros(3, dtype=np.float32)},
        {"rows_": np.array([["a"]])},
        {"n_": np.zeros(1, dtype=np.uint8)},
    ],
    ids=str,
)
def test_values_that_fit_their_types_come_back(tmp_path, mode, arrays):
    typed(mode=mode, **arrays).save(tmp_path)
    found = Typed.load(tmp_path)
    assert (found.mode, found.rate, found.anything) == (mode, 1, None)
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(found, name), array)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"one_": np.zeros((3, 1))}, r"state\.one_ is float64 of shape \(3, 1\), expected numpy\.ndarray"),
        ({"one_": np.zeros(3, dtype=np.int64)}, r"state\.one_ is int64"),
        ({"two_": np.zeros(3)}, r"state\.two_ is float64 of shape \(3,\)"),
        ({"n_": np.zeros(3)}, r"state\.n_ is float64"),
        ({"mode": "c"}, r"parameters\.mode is 'c', expected Literal\['a', 'b'\]"),
        ({"rows_": np.zeros(0)}, r"RuntimeError\('no rows to go on with'\)"),
        ({"one_": np.zeros(0)}, r"IndexError"),
        ({"two_": np.ones((2, 3), dtype=complex)}, r"predict gives complex128 of shape \(1,\) for one user"),
    ],
)
def test_what_does_not_fit_or_cannot_answer_is_refused_by_load(tmp_path, arrays, why):
    typed(**arrays).save(tmp_path)
    with pytest.raises(
        StoreError, match=rf"{tmp_path} holds other parts than a model of 'test\.typed\.1' has: .*{why}"
    ):
        Typed.load(tmp_path)


@pytest.mark.parametrize(
    "error", [ModelError("no GPU here; install the library's build for one"), MemoryError()], ids=str
)
@pytest.mark.parametrize("method", ["after_load", "predict"])
def test_what_is_no_fault_of_the_files_is_not_blamed_on_them(tmp_path, monkeypatch, method, error):
    def fail(*_):
        raise error

    typed().save(tmp_path)
    monkeypatch.setattr(Typed, method, fail)
    with pytest.raises(type(error)) as caught:
        Typed.load(tmp_path)
    assert caught.value is error


def test_a_number_that_json_has_no_word_for_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        fitted(Biases(float("nan"), np.zeros(1))).save(tmp_path)


def test_facts_are_readable_and_arrays_stand_apart(tmp_path):
    fitted().save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())["facts"]
    assert facts["parameters"] == {"layers": [5], "low": 0.1 + 0.2}
    assert facts["state"]["factors_"]["biases"]["mean"] == 1 / 3
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        assert {"counts_", "factors_.rows", "factors_.biases.users"} <= set(arrays.files)


def test_the_capability_is_read_without_importing_the_class(tmp_path, monkeypatch):
    source = "import missing_library\nfrom cfbench.model import Saved\nclass M(Saved, kind='a.b.1'): ...\n"
    (tmp_path / "declares_saving.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert declaration_of("declares_saving:M").capabilities == ("saves",)

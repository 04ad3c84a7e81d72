"""``Saved`` writes what a model declares and reads it back to the bit, nested parts included."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from cfbench.errors import StoreError
from cfbench.model import Features, Saved, Vocabulary, save_parts
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

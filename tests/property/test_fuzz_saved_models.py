"""Saved models of every installed plugin, damaged though well-formed, are refused or answer; they never fail later."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np
import pytest

from cfbench.errors import StoreError
from cfbench.model import FitContext, Saved, load_parts, save_parts
from cfbench.registry.registry import Registry
from cfbench.testing import described_ratings

SMALL = {"epochs": 1, "n_factors": 3, "iterations": 3, "burn_in": 1, "fewest_steps": 5}
TRAIN = described_ratings()
USERS = np.arange(TRAIN.n_users + 1, dtype=np.int32)
ITEMS = USERS % (TRAIN.n_items + 1)


SAVERS = [one for one in Registry.discover().plugins("model") if "saves" in one.declaration.capabilities]


def retyped(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "SU":
        return np.arange(array.size, dtype=np.float64).reshape(array.shape)
    return array + 0.5 if array.dtype.kind in "iu" else np.nan_to_num(array).astype(np.int64)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "retyped": retyped,
    "as text": lambda array: np.full(array.shape, "x"),
    "an axis more": lambda array: array[..., None],
    "flat": lambda array: array.ravel() if array.ndim > 1 else array[None],
}


def damaged(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield what was done to one array of a saved model, and all of its arrays then."""
    for name, array in arrays.items():
        yield f"{name} dropped", {other: kept for other, kept in arrays.items() if other != name}
        yield f"{name} twice", arrays | {f"{name}_more": array}
        yield f"{name} with a part", arrays | {f"{name}.more": array}
        for what, change in CHANGES.items():
            yield f"{name} {what}", arrays | {name: change(array)}


def odd_facts(state: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield what was done to one fact at the top of a saved model's state, and the state then."""
    for name, fact in state.items():
        yield f"{name} dropped", {other: kept for other, kept in state.items() if other != name}
        yield f"{name} is a text", state | {name: "x" if not isinstance(fact, str) else 1}
        yield f"{name} is a list", state | {name: [fact]}
    yield "one more", state | {"more_": 1}


def require_answers(model: object, what: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if hasattr(model, "predict"):
                assert model.predict(USERS, ITEMS).shape == USERS.shape
            if hasattr(model, "score_items"):
                assert model.score_items(USERS).shape == (len(USERS), TRAIN.n_items)
        except Exception as error:
            raise AssertionError(f"{what}: loaded, and then {error!r}") from error


@pytest.mark.parametrize("plugin", SAVERS, ids=lambda plugin: plugin.name)
def test_a_damaged_model_is_refused_or_answers(plugin, tmp_path):
    cls = plugin.load()
    assert issubclass(cls, Saved)
    model = cls(**{field.name: SMALL[field.name] for field in fields(cls) if field.name in SMALL})
    model.fit(TRAIN, FitContext(seed=1, device="cpu"))
    model.save(tmp_path)
    require_answers(cls.load(tmp_path), "whole")
    kind = cls._kind
    arrays, facts = load_parts(tmp_path, kind)
    versions = [(what, changed, facts) for what, changed in damaged(arrays)]
    versions += [(what, arrays, facts | {"state": state}) for what, state in odd_facts(facts["state"])]
    refused = 0
    for what, changed_arrays, changed_facts in versions:
        save_parts(tmp_path, kind, changed_arrays, changed_facts)
        try:
            loaded = cls.load(tmp_path)
        except StoreError as error:
            refused += kind in str(error) and str(tmp_path) in str(error)
        else:
            require_answers(loaded, what)
    assert refused > len(versions) / 2, "most of them must be refused, by a message that names model and folder"

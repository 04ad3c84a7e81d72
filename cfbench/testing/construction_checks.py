"""Rules on how a model is made and what it keeps."""

from __future__ import annotations

import dataclasses
from typing import Any

from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import random_ratings
from cfbench.testing.model_under_test import ModelUnderTest


def _stores_only(subject: ModelUnderTest) -> None:
    model = subject.new()
    wanted = _parameters(subject, model)
    subject.require(
        set(vars(model)) <= set(wanted),
        f"__init__ sets {sorted(set(vars(model)) - set(wanted))}; it must only store its parameters, all else "
        "belongs into fit",
    )
    again = type(model)(**wanted)
    changed = [name for name, value in wanted.items() if getattr(again, name) is not value]
    subject.require(not changed, f"__init__ does not store {changed} as given; check and convert them in fit")


def _has_plain_parameters(subject: ModelUnderTest) -> None:
    for name, value in _parameters(subject, subject.new()).items():
        subject.require(
            is_plain(value),
            f"parameter {name!r} is {value!r}; suite files and result keys need numbers, text, booleans, None or "
            "flat tuples of them",
        )


def _has_the_methods(subject: ModelUnderTest) -> None:
    cls = subject.load()
    subject.require(callable(getattr(cls, "fit", None)), "has no fit(train, context) method")
    subject.require(
        hasattr(cls, "predict") or hasattr(cls, "score_items"),
        "has neither predict(users, items) nor score_items(users); a recommender needs at least one",
    )


def is_plain(value: object) -> bool:
    """Whether a parameter is what suite files and result keys can hold."""
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(part, str | int | float | bool | None) for part in parts)


def _keeps_its_parameters(subject: ModelUnderTest) -> None:
    before = _parameters(subject, subject.new())
    model = subject.fitted(random_ratings())
    changed = [name for name, value in before.items() if getattr(model, name) != value]
    subject.require(
        not changed, f"fit changes the parameters {changed}; keep what it works out in a name ending in '_'"
    )
    wrong = [name for name in vars(model) if name not in before and not name.endswith("_")]
    subject.require(not wrong, f"fit sets {wrong}; names of learned attributes end in '_'")


def _parameters(subject: ModelUnderTest, model: Any) -> dict[str, Any]:
    subject.require(
        dataclasses.is_dataclass(model),
        "is not a dataclass; its annotated fields are how the command line knows its parameters",
    )
    return {field.name: getattr(model, field.name) for field in dataclasses.fields(model) if field.init}


RULES = (
    Rule("has fit, and predict or score_items", _has_the_methods),
    Rule("construction only stores parameters", _stores_only),
    Rule("parameters are JSON scalars or flat tuples", _has_plain_parameters),
    Rule("fit keeps parameters and marks what it learned", _keeps_its_parameters),
)

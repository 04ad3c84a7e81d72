"""A model's hyperparameters as a saved model keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from cfbench.model.saving import Fact

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def hyperparameters(model: DataclassInstance) -> dict[str, Fact]:
    """Return a model's init fields as JSON has them: tuples are lists."""
    values = {each.name: getattr(model, each.name) for each in fields(model) if each.init}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def arguments(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model's class is called with, from what :func:`hyperparameters` gave."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}

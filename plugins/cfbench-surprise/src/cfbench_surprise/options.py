"""From a model's own fields to the library's arguments."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from cfbench.model.protocols import FitContext


def arguments(model: Any) -> dict[str, Any]:
    """Return the fields of a dataclass ``model`` by name, which are the library's argument names too."""
    return {field.name: getattr(model, field.name) for field in fields(model)}


def library_seed(random_state: int | None, context: FitContext) -> int:
    """Return ``random_state`` where the user fixed it, else the cell's seed reduced to the library's 32 bits."""
    return context.seed % 2**32 if random_state is None else random_state


def similarity_options(model: Any) -> dict[str, Any]:
    """Gather the flat similarity fields of a neighbourhood model into the library's ``sim_options``."""
    return {
        "name": model.similarity,
        "user_based": model.user_based,
        "min_support": model.min_support,
        "shrinkage": model.shrinkage,
    }


def baseline_options(
    *, method: str, n_epochs: int | None, reg_u: float, reg_i: float, reg: float, learning_rate: float
) -> dict[str, Any]:
    """Gather flat baseline parameters into the library's ``bsl_options``; it ignores those of the other method."""
    options: dict[str, Any] = {"method": method, "reg_u": reg_u, "reg_i": reg_i, "reg": reg}
    options["learning_rate"] = learning_rate
    if n_epochs is not None:
        options["n_epochs"] = n_epochs
    return options

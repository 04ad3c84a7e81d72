"""Asking a model what it has learned about every item and user, and checking what it shows."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import ModelError
from cfbench.inference.predict import shaped_floats
from cfbench.model.protocols import Embeddings, HasEmbeddings
from cfbench.model.ratings import Floats


def ask_embeddings(model: HasEmbeddings, n_users: int, n_items: int) -> Embeddings:
    """Ask a fitted ``model`` for its embeddings and check them.

    Raises:
        ModelError: it raised, or returned something else than finite arrays with a row for every training user and
            item.
    """
    who = f"{type(model).__name__}.embeddings"
    try:
        shown = model.embeddings()
    except Exception as error:
        raise ModelError(f"{who} raised {type(error).__name__}: {error}") from error
    if not isinstance(shown, Embeddings):
        raise ModelError(f"{who} must return cfbench.model.protocols.Embeddings, got {type(shown).__name__}")
    for name, rows in (("users", n_users), ("items", n_items)):
        array = getattr(shown, name)
        width = array.shape[1] if isinstance(array, np.ndarray) and array.ndim == 2 else 1
        _require_finite(array, (rows, width), f"{who}().{name}")
    for name, rows in (("user_biases", n_users), ("item_biases", n_items)):
        if getattr(shown, name) is not None:
            _require_finite(getattr(shown, name), (rows,), f"{who}().{name}")
    if not isinstance(shown.offset, numbers.Real) or not np.isfinite(shown.offset):
        raise ModelError(f"{who}().offset must be a finite number, got {shown.offset!r}; 0 where there is none")
    return shown


def item_factors(shown: Embeddings) -> NDArray[np.float32] | None:
    """Return the item factors in single precision, shape (n_items, f), or None where they have no length."""
    return shown.items.astype(np.float32) if shown.items.shape[1] else None


def _require_finite(array: Floats, shape: tuple[int, ...], who: str) -> None:
    floats = shaped_floats(array, shape, who)
    if not (np.abs(floats) <= np.finfo(np.float32).max).all():
        raise ModelError(f"{who} must be finite; give a row of 0 to an entity about which nothing was learned")

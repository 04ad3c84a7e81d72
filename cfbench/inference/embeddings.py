"""Embeddings of a fitted model, validated."""

from __future__ import annotations

import numbers

import numpy as np

from cfbench.errors import ModelError
from cfbench.inference.predict import shaped_floats
from cfbench.model.protocols import Embeddings, HasEmbeddings


def embeddings_of(model: HasEmbeddings, n_users: int, n_items: int) -> Embeddings:
    """Return the embeddings of a fitted ``model`` after checking them.

    Raises:
        ModelError: it raised, or returned something else than finite arrays with a row for every training user and
            item.
    """
    who = f"{type(model).__name__}.embeddings"
    try:
        found = model.embeddings()
    except Exception as error:
        raise ModelError(f"{who} raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Embeddings):
        raise ModelError(f"{who} must return cfbench.model.protocols.Embeddings, got {type(found).__name__}")
    for name, rows in (("users", n_users), ("items", n_items), ("user_biases", n_users), ("item_biases", n_items)):
        array = getattr(found, name)
        shape: tuple[int, ...] = (rows,)
        if name in ("users", "items"):  # of whatever width
            shape = (rows, array.shape[1] if isinstance(array, np.ndarray) and array.ndim == 2 else 1)
        elif array is None:
            continue
        floats = shaped_floats(array, shape, f"{who}().{name}")
        if not (np.abs(floats) <= np.finfo(np.float32).max).all():
            raise ModelError(
                f"{who}().{name} must be finite; give a row of 0 to an entity about which nothing was learned"
            )
    if not isinstance(found.offset, numbers.Real) or not np.isfinite(found.offset):
        raise ModelError(f"{who}().offset must be a finite number, got {found.offset!r}; 0 where there is none")
    return found

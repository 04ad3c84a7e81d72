"""Answers of a fitted model, each validated: predicted ratings, its range of ratings, embeddings."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.errors import ModelError
from cfbench.model.protocols import Embeddings, HasEmbeddings, HasRatingRange, PredictsRatings
from cfbench.model.ratings import Codes, Floats, frozen
from cfbench.resources.cost import Clock

PAIRS_PER_CALL = 1 << 18
"""The most pairs per call of ``predict``; bounds the rows of factors that a model gathers."""


def predict_ratings(
    model: PredictsRatings, users: Codes, items: Codes, clock: Clock, *, part: str = "predict"
) -> NDArray[np.float32]:
    """Return the ratings that ``model`` predicts for pairs, queried in chunks, each checked.

    Args:
        model: a fitted model.
        users: user codes, shape (m,), ``0 .. n_users``, or beyond for cold users that the model was given; the
            model sees read-only views.
        items: item codes likewise.
        clock: gets the model's own seconds, and nothing else.
        part: the part of the clock that they are counted under.

    Returns:
        Predicted ratings in rating units, shape (m,), float32; not filled, not clipped, NaN = no prediction.

    Raises:
        ModelError: the model returned no float array of the expected shape, or an infinite value.
    """
    users, items = frozen(users), frozen(items)
    predictions = np.empty(len(users), dtype=np.float32)
    who = f"{type(model).__name__}.predict"
    for start in range(0, len(users), PAIRS_PER_CALL):
        chunk = slice(start, start + PAIRS_PER_CALL)
        with clock.part(part):
            returned = model.predict(users[chunk], items[chunk])
        floats = shaped_floats(returned, users[chunk].shape, who)
        reject_infinities(floats, who)
        predictions[chunk] = floats
    return predictions


def rating_range_of(model: HasRatingRange) -> NDArray[np.float64] | None:
    """Return the lowest and highest rating that a fitted ``model`` states, shape (2,); None where it has no limits.

    Raises ModelError where it states something else than two finite numbers, the lower one first.
    """
    stated: Any = model.rating_range()
    match stated:
        case None:
            return None
        case (Real() as low, Real() as high) if -math.inf < float(low) < float(high) < math.inf:
            return np.array([low, high], dtype=np.float64)
        case _:
            raise ModelError(
                f"{type(model).__name__}.rating_range must return two finite numbers (low, high) with low < high, "
                f"or None where nothing limits its predictions; got {stated!r}"
            )


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
        floats, limit = shaped_floats(array, shape, f"{who}().{name}"), np.finfo(np.float32).max
        if floats.size and not (floats.min() >= -limit and floats.max() <= limit):  # without another large array
            raise ModelError(
                f"{who}().{name} must be finite; give a row of 0 to an entity about which nothing was learned"
            )
    if not isinstance(found.offset, Real) or not np.isfinite(found.offset):
        raise ModelError(f"{who}().offset must be a finite number, got {found.offset!r}; 0 where there is none")
    return found


def shaped_floats(array: object, shape: tuple[int, ...], who: str) -> Floats:
    """Return ``array`` as float32 (float64 stays) if it is a float array of ``shape``.

    Raises ModelError naming ``who``, what was expected, what came.
    """
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise ModelError(
            f"{who} must return a plain numpy array of shape {shape}, got {type(array).__name__}; "
            "convert it (e.g. tensor.numpy()) and write NaN where the model has no prediction"
        )
    array = np.asarray(array)  # np.matrix and the like have arithmetic of their own
    if array.shape != shape:
        raise ModelError(f"{who} must return an array of shape {shape}, got {array.shape}; return one value per query")
    if not np.issubdtype(array.dtype, np.floating):
        raise ModelError(f"{who} must return floats, got dtype {array.dtype}; convert with .astype(np.float32)")
    return array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32, copy=False)


def reject_infinities(values: Floats, who: str) -> None:
    """Raise ModelError if a value is infinite or lies beyond float32; NaN is allowed: it means "no prediction"."""
    limit = np.finfo(np.float32).max
    if not values.size or (values.min() >= -limit and values.max() <= limit):  # the quick way, which NaN fails
        return
    highest = np.fmax.reduce(values, axis=None, initial=0.0)
    lowest = np.fmin.reduce(values, axis=None, initial=0.0)
    if lowest >= -limit and highest <= limit:
        return
    infinite = np.abs(values) > limit  # NaN compares false; one that signals becomes the highest above
    if not infinite.any():
        return
    first = tuple(int(index) for index in np.argwhere(infinite)[0])
    raise ModelError(
        f"{who} must return finite values or NaN, got {np.count_nonzero(infinite)} of {values.size} that are "
        f"infinite or beyond float32, the first {values[first]} at index {first}; did training diverge? "
        "Return NaN where the model has no prediction"
    )

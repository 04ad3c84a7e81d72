"""Checks of stored answers against their split, made before metrics rely on their shapes and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.errors import StoreError
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Cell


def require_answers_to(split: Split, cell: Cell, answers: ModelOutput) -> None:
    """Raise StoreError where ``answers`` of ``cell`` have other shapes than ``split`` asks for, name items that there
    are not, or hold infinities.

    What cfbench wrote always passes; a results folder from elsewhere may hold anything under a valid digest.
    """
    for mistake in _mistakes(split, cell, answers):
        raise StoreError(f"the stored answers of {cell} are none to the questions of its split: {mistake}")


def _mistakes(split: Split, cell: Cell, answers: ModelOutput) -> Iterator[str]:
    n_items, n_rows = split.train.n_items, len(split.train)
    if answers.predictions is None and answers.lists is None:
        yield "there are none"
    # None in a shape: any length but 0.
    shapes: dict[str, tuple[int | None, ...]] = {
        "predictions": (len(split.test),),
        "rating_range": (2,),
        "lists": (len(split.test_user_positions), cell.list_length),
        "score_means": (None, n_items),
        "item_factors": (n_items, None),
        "train_predictions": (None if answers.train_rows is None else len(answers.train_rows),),
    }
    for name, shape in shapes.items():
        array: NDArray[Any] | None = getattr(answers, name)
        if array is None:
            continue
        if None in shape and 0 in array.shape:
            yield f"{name} are empty"
        expected = tuple(found if wanted is None else wanted for found, wanted in zip(array.shape, shape, strict=False))
        if array.shape != expected:
            yield f"{name} have shape {array.shape}, expected {expected}"
        if np.isinf(array).any():
            yield f"{name} hold infinities"
    if answers.lists is not None:
        yield from _of_lists(answers.lists, n_items)
    rows = answers.train_rows
    if rows is not None and (not len(rows) or rows[0] < 0 or rows[-1] >= n_rows or (np.diff(rows) <= 0).any()):
        yield f"train_rows are no ascending rows of the {n_rows} that there are"
    if (rows is None) != (answers.train_predictions is None):
        yield "train_rows and train_predictions go together, one is missing"


def _of_lists(lists: NDArray[np.int32], n_items: int) -> Iterator[str]:
    if lists.min(initial=0) < 0 or lists.max(initial=0) > n_items:
        yield f"lists name items beyond the {n_items} that there are"
    ordered = np.sort(lists, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] < n_items)).any():
        yield "a list names an item twice"
    if ((lists[:, :-1] == n_items) & (lists[:, 1:] < n_items)).any():
        yield "a list goes on after its end"

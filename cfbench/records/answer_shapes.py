"""Whether stored answers can be answers to a split's questions: what metrics rely on, checked before they see it."""

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
    """Raise StoreError where ``answers`` of ``cell`` have other shapes than the questions of ``split``, name items that
    there are not, or hold infinities.

    What cfbench wrote always passes; a results folder from elsewhere may vouch for anything.
    """
    for mistake in _mistakes(split, cell, answers):
        raise StoreError(f"the stored answers of {cell} are none to the questions of its split: {mistake}")


def _mistakes(split: Split, cell: Cell, answers: ModelOutput) -> Iterator[str]:
    n_items, tested = split.train.n_items, len(split.test_user_positions)
    if answers.predictions is None and answers.lists is None:
        yield "there are none"
    yield from _of_numbers("predictions", answers.predictions, (len(split.test),))
    yield from _of_numbers("rating_range", answers.rating_range, (2,))
    if answers.lists is not None:
        yield from _of_lists(answers.lists, (tested, cell.list_length), n_items)
    for name in ("score_means", "item_factors"):
        array = getattr(answers, name)
        if array is not None and 0 in array.shape:
            yield f"{name} are empty"
    if answers.score_means is not None:
        yield from _of_numbers("score_means", answers.score_means, (len(answers.score_means), n_items))
    if answers.item_factors is not None:
        yield from _of_numbers("item_factors", answers.item_factors, (n_items, answers.item_factors.shape[1]))
    if answers.train_rows is not None:
        yield from _of_rows(answers.train_rows, len(split.train))
        yield from _of_numbers("train_predictions", answers.train_predictions, answers.train_rows.shape)
    if (answers.train_rows is None) != (answers.train_predictions is None):
        yield "train_rows and train_predictions go together, one is missing"


def _of_numbers(name: str, found: NDArray[np.floating[Any]] | None, shape: tuple[int, ...]) -> Iterator[str]:
    if found is not None and found.shape != shape:
        yield f"{name} have shape {found.shape}, expected {shape}"
    elif found is not None and np.isinf(found).any():
        yield f"{name} hold infinities"


def _of_lists(lists: NDArray[np.int32], shape: tuple[int, int], n_items: int) -> Iterator[str]:
    if lists.shape != shape:
        yield f"lists have shape {lists.shape}, expected {shape}"
        return
    if lists.min(initial=0) < 0 or lists.max(initial=0) > n_items:
        yield f"lists name items beyond the {n_items} that there are"
        return
    ordered = np.sort(lists, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] < n_items)).any():
        yield "a list names an item twice"
    if ((lists[:, :-1] == n_items) & (lists[:, 1:] < n_items)).any():
        yield "a list goes on after its end"


def _of_rows(rows: NDArray[np.int64], n: int) -> Iterator[str]:
    if not len(rows) or rows[0] < 0 or rows[-1] >= n or (np.diff(rows) <= 0).any():
        yield f"train_rows are no ascending rows of the {n} that there are"

"""Rules that a model's output keeps on its split, whether it arrives from a cell or is read from a results folder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.inference.output import ModelOutput, OutputSizes
from cfbench.inference.pair_order import CHECKED_ROWS, checked_rows
from cfbench.spec import seed_of


def sizes_of(split: Split, list_length: int) -> OutputSizes:
    """Return the sizes of the output that ``split`` asks for, with lists of ``list_length`` items."""
    checked, n_lists = min(len(split.train), CHECKED_ROWS), len(split.test_user_positions)
    return OutputSizes(len(split.test), n_lists, list_length, split.train.n_items, checked)


def mistakes_in(output: ModelOutput, split: Split, list_length: int) -> Iterator[str]:
    """Yield what is wrong with ``output`` as the output of a model on ``split``: the harness never makes such output.

    The lists are held against the training rows: whoever names an item there that its user has rated, or that is
    withheld, has written the list himself.
    """
    if output.predictions is None and output.lists is None:
        yield "there are none"
    sizes, arrays = sizes_of(split, list_length), output.arrays()
    for name, array in arrays.items():
        try:
            sizes.require(name, array.dtype, array.shape)
        except ValueError as error:
            yield str(error)
            return  # what follows relies on the shapes
        if array.dtype.kind == "f" and np.isinf(array).any():
            yield f"{name} hold infinities"
    factors, stated, again = output.item_factors, output.rating_range, output.asked_again
    if factors is not None and np.isnan(factors).any():
        yield "item_factors hold NaN"
    if stated is not None and not stated[0] < stated[1]:
        yield "rating_range does not rise"
    if again is not None and ((again < 0).any() or (again[:, 0] > 1).any()):
        yield "asked_again are no shares and differences"
    if (output.train_rows is None) != (output.train_predictions is None):
        yield "train_rows and train_predictions go together, one is missing"
    if output.train_rows is not None:
        asked = checked_rows(len(split.train), seed_of(split.fingerprint))
        if not np.array_equal(output.train_rows, asked):
            yield "train_rows are other rows than those asked about"
    if output.lists is not None:
        yield from _of_lists(output.lists, split)


def _of_lists(lists: NDArray[np.int32], split: Split) -> Iterator[str]:
    n_items = split.train.n_items
    if lists.min(initial=0) < 0 or lists.max(initial=0) > n_items:
        yield f"lists name items beyond the {n_items} that there are"
        return
    if ((lists[:, :-1] == n_items) & (lists[:, 1:] < n_items)).any():
        yield "a list goes on after its end"
    ordered = np.sort(lists, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] < n_items)).any():
        yield "a list names an item twice"
    users = split.user_coding.codes(split.test_user_positions)
    if _name_any(ordered, users, split.train.users, split.train.items, n_items):
        yield "a list names an item that its user has rated in training"
    withheld = split.withheld
    if withheld is not None and _name_any(ordered, np.arange(len(lists)), withheld.places, withheld.items, n_items):
        yield "a list names an item that is withheld from it"


def _name_any(
    lists: NDArray[np.int32],
    rows: NDArray[np.integer],
    barred_rows: NDArray[np.integer],
    barred: NDArray[np.int32],
    n_items: int,
) -> bool:
    """Whether a list, ascending, of the row ``rows[i]`` names an item that is barred from that row.

    Args:
        lists: item codes, shape (t, k), ``n_items`` for none.
        rows: whose lists they are, shape (t,).
        barred_rows: from whom an item is barred, shape (n,).
        barred: the item, shape (n,).
        n_items: size of the catalogue.
    """
    if not len(barred):
        return False
    # A pair becomes one number. Numbers that are looked up in ascending order are found several times faster.
    width = n_items + 1
    pairs = barred_rows.astype(np.int64)
    pairs *= width
    pairs += barred
    pairs.sort()
    order = np.argsort(rows, kind="stable")
    named = (rows[order].astype(np.int64)[:, np.newaxis] * width + lists[order]).reshape(-1)
    places = np.searchsorted(pairs, named)
    places[places == len(pairs)] -= 1
    return bool((pairs[places] == named).any())

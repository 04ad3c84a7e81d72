"""Columns of short texts that are numbers, few of them distinct: ratings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WIDTH = 8  # characters set aside for a text: as many as a whole number of 64 bits has bytes
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth, The Art of Computer Programming 3, 6.4
_SLOT_BITS = 16
_ROWS = 1 << 14  # looked up at a time: they stay in the processor's cache
_SHIFT = np.uint64(64 - _SLOT_BITS)
_DOT, _SLASH = (np.uint8(ord(char)) for char in "./")
_UP_TO_NINE = np.uint8(ord("9") - ord("."))


def short_numbers(texts: NDArray[np.bytes_]) -> tuple[NDArray[np.float32], int]:
    """Return the numbers that ``texts`` say, shape (n,), and how many characters these have in all.

    Args:
        texts: shape (n,), of dtype S8, at least one; each distinct one is parsed once.

    Raises ValueError where one is empty or no plain number (digits, at most one dot), or so long that it may have been
    cut off.
    """
    words = np.ascontiguousarray(texts).view(np.uint64)
    if not len(words) or words.min() == 0:
        raise ValueError("a rating is missing")
    return _looked_up(words) or _told_apart(words)


def _looked_up(words: NDArray[np.uint64]) -> tuple[NDArray[np.float32], int] | None:
    """Read ``words`` by a table of distinct ones; None where two of them fall into one slot."""
    known = np.zeros(1 << _SLOT_BITS, dtype=np.uint64)
    number_of, length_of = np.zeros(len(known), dtype=np.float32), np.zeros(len(known), dtype=np.uint8)
    numbers, characters = np.empty(len(words), dtype=np.float32), 0
    shortest = longest = 0
    for start in range(0, len(words), _ROWS):
        some = words[start : start + _ROWS]
        slots = ((some * _SPREAD) >> _SHIFT).view(np.int64)
        if not np.array_equal(known.take(slots), some):
            before = np.flatnonzero(known)
            kept = known[before]
            known[slots] = some
            if not (np.array_equal(known.take(slots), some) and np.array_equal(known[before], kept)):
                return None
            used = np.flatnonzero(known)
            number_of[used], length_of[used] = _parsed(known[used])
            shortest, longest = int(length_of[used].min()), int(length_of[used].max())
        number_of.take(slots, out=numbers[start : start + _ROWS], mode="clip")  # else numpy copies what it takes
        characters += len(some) * shortest if shortest == longest else int(length_of.take(slots).sum())
    return numbers, characters


def _told_apart(words: NDArray[np.uint64]) -> tuple[NDArray[np.float32], int]:
    codes, distinct = pd.factorize(words)
    numbers, lengths = _parsed(distinct)
    return numbers.take(codes), int(lengths.take(codes).sum())


def _parsed(words: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return the numbers and lengths of distinct texts."""
    characters = words.view(np.uint8).reshape(len(words), WIDTH)
    figures = ((characters - _DOT) <= _UP_TO_NINE) & (characters != _SLASH)  # what is below the dot wraps around
    lengths = np.count_nonzero(figures, axis=1)
    if not np.all(figures | (characters == 0)) or lengths.max() == WIDTH:
        raise ValueError("a rating that is no plain number of at most seven characters")
    # A whole number of at most seven digits over a power of ten: rounded once, as by any parser.
    return words.view(f"S{WIDTH}").astype(np.float64).astype(np.float32), lengths

"""Functions compiled once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_SUMS_IN_ANY_ORDER = {"reassoc", "contract", "nsz"}
"""What lets a sum be split over the lanes of a vector register; NaN and infinities keep their meaning."""


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call, to run without Python and its lock.

    The machine code is kept beside the source or in the user's cache folder; where neither can be written to it is
    compiled again in each process.
    """
    try:
        return cast(Function, numba.njit(nogil=True, fastmath=_SUMS_IN_ANY_ORDER, cache=True)(function))
    except RuntimeError:  # numba found no folder for its cache
        return cast(Function, numba.njit(nogil=True, fastmath=_SUMS_IN_ANY_ORDER)(function))

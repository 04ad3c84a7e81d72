"""Derived arrays that metrics share: computed once and read-only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload
from weakref import WeakKeyDictionary

import numpy as np

from cfbench.data.splits.split import Split

T = TypeVar("T")


class derived(Generic[T]):
    """A property computed on first use, kept, and made read-only: no metric can falsify the next."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, cls: type[Any]) -> derived[T]: ...
    @overload
    def __get__(self, owner: object, cls: type[Any]) -> T: ...
    def __get__(self, owner: object | None, cls: type[Any]) -> T | derived[T]:
        """Return the value, computing it on the first call."""
        if owner is None:
            return self
        known, name = self._kept(owner), self._compute.__name__
        if name not in known:
            value: Any = self._compute(owner)
            for array in (value, *(getattr(value, part, None) for part in ("data", "indices", "indptr"))):
                if isinstance(array, np.ndarray):  # or the arrays that a sparse array is made of
                    array.flags.writeable = False
            known[name] = value
        found: T = known[name]
        return found

    def _kept(self, owner: object) -> dict[str, Any]:
        return vars(owner)


_OF_SPLITS: WeakKeyDictionary[Split, dict[str, Any]] = WeakKeyDictionary()


class of_split(derived[T]):
    """The same for what depends on ``owner.split`` alone: kept for all models measured on it, as long as it lives."""

    def _kept(self, owner: Any) -> dict[str, Any]:
        return _OF_SPLITS.setdefault(owner.split, {})

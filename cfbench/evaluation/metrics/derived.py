"""Derived arrays that metrics share: computed once, and nobody's to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary

import numpy as np

from cfbench.data.splits.split import Split

T = TypeVar("T")


class HasSplit(Protocol):
    """Whatever is measured on a split."""

    @property
    def split(self) -> Split:
        """The split."""
        ...


class derived(Generic[T]):
    """A property computed on first use, kept, and sealed against writing: no metric can falsify the next."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, cls: type[Any]) -> derived[T]: ...
    @overload
    def __get__(self, owner: HasSplit, cls: type[Any]) -> T: ...
    def __get__(self, owner: HasSplit | None, cls: type[Any]) -> T | derived[T]:
        """Return the value, computing it on the first call."""
        if owner is None:
            return self
        known, name = self._kept(owner), self._compute.__name__
        if name not in known:
            known[name] = _sealed(self._compute(owner))
        found: T = known[name]
        return found

    def _kept(self, owner: HasSplit) -> dict[str, Any]:
        return vars(owner)


_OF_SPLITS: WeakKeyDictionary[Split, dict[str, Any]] = WeakKeyDictionary()


class of_split(derived[T]):
    """The same for what depends on the split alone: kept as long as the split lives, for all models measured on it."""

    def _kept(self, owner: HasSplit) -> dict[str, Any]:
        return _OF_SPLITS.setdefault(owner.split, {})


def _sealed(value: Any) -> Any:
    """Forbid writing to an array, or to the arrays that a sparse array is made of."""
    for array in (value, *(getattr(value, part, None) for part in ("data", "indices", "indptr"))):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return value

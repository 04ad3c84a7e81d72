"""Derived arrays that depend on a split alone, so that all models measured on it share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary

from cfbench.splits.split import Split

T = TypeVar("T")


class HasSplit(Protocol):
    """Whatever is measured on a split."""

    @property
    def split(self) -> Split:
        """The split."""
        ...


_KNOWN: WeakKeyDictionary[Split, dict[str, Any]] = WeakKeyDictionary()


class of_split(Generic[T]):
    """A property that looks at nothing but its owner's split: computed once and kept as long as the split lives."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, cls: type[Any]) -> of_split[T]: ...
    @overload
    def __get__(self, owner: HasSplit, cls: type[Any]) -> T: ...
    def __get__(self, owner: HasSplit | None, cls: type[Any]) -> T | of_split[T]:
        """Return the array, computing it on the first call for this split."""
        if owner is None:
            return self
        known = _KNOWN.setdefault(owner.split, {})
        name = self._compute.__name__
        if name not in known:
            known[name] = self._compute(owner)
        found: T = known[name]
        return found

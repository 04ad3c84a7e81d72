"""Data sets: validated ratings, their users and items, where they come from, and the codes that models see of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.features import NO_FEATURES
from cfbench.model.ratings import Codes, RatingScale, frozen

_CHUNK = 1 << 20  # rows numbered at a time


@dataclass(frozen=True, eq=False)
class Entities:
    """The users or the items of a data set, one row each.

    Attributes:
        ids: the data's own ids as text, shape (n,), unique.
        columns: titles and features, each of shape (n,): ``title``, ``genres`` (joined by ``|``),
            ``year``, ``age``, ``gender``, ``occupation`` ... Missing text is ``""``, missing numbers NaN.
    """

    ids: NDArray[np.str_]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column) != len(self.ids):
                raise ValueError(f"column {name!r} has {len(column)} rows for {len(self.ids)} ids")
        object.__setattr__(self, "ids", frozen(self.ids))
        columns = {name: frozen(column) for name, column in self.columns.items()}
        object.__setattr__(self, "columns", MappingProxyType(columns))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class PublishedFold:
    """A train/test split that was published with the data, as row indices in published order."""

    train_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]


@dataclass(frozen=True)
class Origin:
    """Provenance and terms of a data set.

    Attributes:
        licence: short name or terms, e.g. ``"MIT"``.
        citation: the reference to quote when publishing results on it.
        homepage: where to read about it, or an empty text.
    """

    licence: str
    citation: str
    homepage: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with their entities; immutable.

    Attributes:
        name: the name that results carry, e.g. ``"ml-100k"``.
        users: table of users; ``user_index`` points into it.
        items: table of items; ``item_index`` points into it.
        user_index: position of each rating's user, shape (n,), int32.
        item_index: position of each rating's item, shape (n,), int32.
        ratings: rating values, shape (n,), float32, all within ``scale``.
        timestamps: seconds since 1970, shape (n,), int64, or None.
        scale: the declared rating scale.
        relevant_from: the rating from which an item counts as relevant, in rating units.
        origin: licence, citation, homepage.
        folds: published train/test splits by name.
    """

    name: str
    users: Entities
    items: Entities
    user_index: NDArray[np.int32]
    item_index: NDArray[np.int32]
    ratings: NDArray[np.float32]
    timestamps: NDArray[np.int64] | None
    scale: RatingScale
    relevant_from: float
    origin: Origin
    folds: Mapping[str, PublishedFold] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        lengths = {len(self.user_index), len(self.item_index), len(self.ratings)}
        if len(lengths) != 1:
            raise ValueError(f"columns differ in length: {sorted(lengths)}")
        for name in ("user_index", "item_index", "ratings"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        if self.timestamps is not None:
            object.__setattr__(self, "timestamps", frozen(self.timestamps))

    def __len__(self) -> int:
        return len(self.ratings)

    @property
    def density(self) -> float:
        """Share of the users x items matrix that is rated, in [0, 1]."""
        return len(self) / (len(self.users) * len(self.items))

    @cached_property
    def features_fingerprint(self) -> str:
        """sha256 over the features of users and items, on which the output of models that use them depends."""
        digest = hashlib.sha256(b"cfbench-features-1")
        for entities in (self.users, self.items):
            for name in sorted(set(entities.columns) - NO_FEATURES):
                column = entities.columns[name]
                digest.update(f"{name}\x1f{column.dtype.kind}\x1f".encode())
                digest.update("\x1f".join(map(str, column.tolist())).encode())
            digest.update(b"\x1e")
        return digest.hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the content that results depend on: ids, rows in order, scale, relevance.

        The name, titles and licence do not enter: two copies of the same ratings are the same data.
        """
        digest = hashlib.sha256(b"cfbench-dataset-1")
        for entities in (self.users, self.items):
            digest.update("\x1f".join(entities.ids.tolist()).encode())
            digest.update(b"\x1e")
        for column in (self.user_index, self.item_index, self.ratings, self.timestamps):
            if column is not None:
                digest.update(np.ascontiguousarray(column).data)
            digest.update(b"\x1e")
        digest.update(f"{self.scale.low!r} {self.scale.high!r} {self.relevant_from!r}".encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Coding:
    """The bijection between training entities and codes ``0 .. n-1``: the only place where raw ids and codes meet.

    *Ids* are the data's (strings), *positions* are rows of a data set's own entity table, *codes* are what models see.
    Codes are given in order of first appearance in the training rows, so they are learned from the training part alone,
    and whatever is not in it has the code ``n``, one past the end: an index that raises instead of silently reading the
    last row.

    Attributes:
        positions: entity-table position of every code, shape (n,), in order of first appearance.
        code_of: code of every entity-table position, shape (table size,); ``n`` where not in training.
    """

    positions: NDArray[np.int32]
    code_of: NDArray[np.int32]

    @classmethod
    def of(cls, training: NDArray[np.int32], table_size: int) -> Coding:
        """Learn the codes from the ``training`` rows' positions, shape (rows,)."""
        first = np.full(table_size, len(training), dtype=np.int64)
        # Where an index repeats, numpy keeps the last value assigned: backwards, that is the first row.
        for end in range(len(training), 0, -_CHUNK):
            start = max(0, end - _CHUNK)
            first[training[start:end][::-1]] = np.arange(end - 1, start - 1, -1)
        order = np.argsort(first, kind="stable")
        n = int(np.count_nonzero(first < len(training)))
        positions = order[:n].astype(np.int32)
        code_of = np.full(table_size, n, dtype=np.int32)
        code_of[positions] = np.arange(n, dtype=np.int32)
        return cls(positions=positions, code_of=code_of)

    def __len__(self) -> int:
        return len(self.positions)

    def codes(self, positions: NDArray[np.int32]) -> Codes:
        """Translate entity-table positions, shape (m,), to codes; unknown = ``len(self)``."""
        return self.code_of[positions]

    def ids(self, table: NDArray[Any], codes: Codes) -> NDArray[Any]:
        """Translate codes back to the raw ids of ``table``; raises IndexError on the unknown code."""
        return table[self.positions[codes]]

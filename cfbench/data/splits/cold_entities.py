"""Cold-start splits: whole users or items held out, and n of their ratings given back (Given-n)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Dataset
from cfbench.data.splits.split import Fold, rank_within, times_of
from cfbench.errors import DataError
from cfbench.model.limits import require_choice, require_fraction


@dataclass(frozen=True)
class ColdEntities:
    """The common part of ``cold-users`` and ``cold-items``; an *entity* is a user in the one, an item in the other.

    Eligible are the entities with more than max(given) ratings; a random ``share`` of them is held out. max(given)
    ratings of each are its *reserve*, the rest are the test. For every s in ``given`` there is a fold ``"s=..."``
    whose training part is all rows of all other entities and the first s of each reserve; the rest of the reserve is in
    neither part. So each fold's training part contains that of a smaller s, and the test rows are the same in all
    folds: along the curve nothing changes but what is known. Rows stay in the data's order.

    What is not given back is withheld from lists too: its items are no candidates for their users, as if it had
    been, so that lists have the same places to fill at every s.

    Attributes:
        share: share of the eligible entities, above 0 and below 1: of entities, not of ratings. Their number is
            rounded to the nearest, but at least one.
        given: how many ratings to give back: distinct whole numbers of at least 0. Folds come in ascending order.
        order: which ratings are given back first: ``"random"``, or the earliest by ``"time"``, ties at random.
    """

    share: float = 0.2
    given: tuple[int, ...] = (0, 1, 2, 5, 10)
    order: Literal["random", "time"] = "random"

    name: ClassVar[str]
    entity: ClassVar[str]

    def __post_init__(self) -> None:
        require_fraction(self, "share")
        require_choice(self, ("random", "time"), "order")
        numbers = self.given if isinstance(self.given, tuple) else ()
        whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in numbers)
        if not numbers or not whole or len(set(numbers)) < len(numbers):
            raise ValueError(f"given={self.given!r}: expected a list of different whole numbers such as [0,1,2,5,10]")

    def folds(self, dataset: Dataset, seed: int) -> Sequence[Fold]:
        """Return one fold for every s in ``given``, ascending.

        Raises DataError where no entity is eligible, where all rows would be held out, or where times lack.
        """
        times = times_of(dataset, f"{self.name}[order=time]", "use order=random") if self.order == "time" else None
        entities = dataset.user_index if self.entity == "user" else dataset.item_index
        # The order of these two draws is part of what a seed means: another one gives other splits than published.
        rng = np.random.default_rng(seed)
        held_out = self._drawn(entities, dataset.name, rng)[entities]
        rank = rank_within(entities, times, rng)
        test_rows = np.flatnonzero(held_out & (rank >= max(self.given)))
        if held_out.all() and 0 in self.given:
            raise DataError(
                f"{self.name}[share={self.share}] would hold every {self.entity} of {dataset.name!r} out and leave "
                "nothing to learn from; use more data or a smaller share"
            )
        reserve = held_out & (rank < max(self.given))
        return [
            Fold(
                name=f"s={s}",
                train_rows=np.flatnonzero(~held_out | (rank < s)),
                test_rows=test_rows,
                n_given=s,
                withheld_rows=np.flatnonzero(reserve & (rank >= s)),
            )
            for s in sorted(self.given)
        ]

    def _drawn(self, entities: NDArray[np.int32], data: str, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Draw the entities that are held out; return True at their positions."""
        counts = np.bincount(entities)
        most = max(self.given)
        eligible = np.flatnonzero(counts > most)
        if not len(eligible):
            most_had = int(counts.max(initial=0))
            fewer = ",".join(str(s) for s in range(min(3, max(most_had, 1))))
            raise DataError(
                f"{self.name}: no {self.entity} of {data!r} has the {most + 1} ratings it takes to give {most} back "
                f"and be tested; the most that one has is {most_had}: give fewer back, e.g. given=[{fewer}], or use "
                "more data"
            )
        size = max(round(self.share * len(eligible)), 1)
        drawn = np.zeros(len(counts), dtype=np.bool_)
        drawn[rng.permutation(eligible)[:size]] = True
        return drawn


class ColdUsers(ColdEntities):
    """Holdout of a share of whole users, with s of their ratings given back, one fold per s; the rest is tested.

    Only users with more than max(given) ratings can be held out; the others stay in training. Everything else is
    described at :class:`cfbench.data.splits.cold_entities.ColdEntities`.
    """

    name: ClassVar[str] = "cold-users"
    entity: ClassVar[str] = "user"


class ColdItems(ColdEntities):
    """Holdout of a share of whole items, with s of their ratings given back, one fold per s; the rest is tested.

    ``share`` is a share of the items with more than max(given) ratings, whether popular or not, so the share of ratings
    that are tested is another; items with fewer stay in training. A user all of whose ratings are of items held out
    is unknown too. Everything else is described at :class:`cfbench.data.splits.cold_entities.ColdEntities`.
    """

    name: ClassVar[str] = "cold-items"
    entity: ClassVar[str] = "item"

"""New items: the curve of getting to know them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.dataset import Dataset
from cfbench.splits.cold_entities import ColdEntities


class ColdItems(ColdEntities):
    """Holds a share of the items out whole and gives s of their ratings back, one fold per s; tests on the rest.

    ``share`` is a share of the items with more than max(given) ratings, whether popular or not, so the share of ratings
    that are tested is another; items with fewer stay in training. A user all of whose ratings are of items held out
    is unknown too. Everything else is said at :class:`cfbench.splits.cold_entities.ColdEntities`.
    """

    name: ClassVar[str] = "cold-items"
    entity: ClassVar[str] = "item"

    def entities(self, dataset: Dataset) -> NDArray[np.int32]:
        """Return the position of each rating's item."""
        return dataset.item_index

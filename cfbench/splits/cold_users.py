"""New users: the curve of getting to know them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.dataset import Dataset
from cfbench.splits.cold_entities import ColdEntities


class ColdUsers(ColdEntities):
    """Holds a share of the users out whole and gives s of their ratings back, one fold per s; tests on the rest.

    Only users with more than max(given) ratings can be held out; the others stay in training. Everything else is said
    at :class:`cfbench.splits.cold_entities.ColdEntities`.
    """

    name: ClassVar[str] = "cold-users"
    entity: ClassVar[str] = "user"

    def entities(self, dataset: Dataset) -> NDArray[np.int32]:
        """Return the position of each rating's user."""
        return dataset.user_index

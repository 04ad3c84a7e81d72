"""What a model can say of a pair before it knows anything about the two together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.model.ratings import Codes


@dataclass(frozen=True, eq=False)
class Biases:
    """``mean + b_u + b_i``, unknown codes being the last entry of each array.

    Attributes:
        mean: the constant part, in rating units.
        users: ``b_u``, shape (n_users + 1,); NaN for the unknown user where the model cannot do without.
        items: ``b_i``, shape (n_items + 1,), likewise.
    """

    mean: float
    users: NDArray[np.float64]
    items: NDArray[np.float64]

    def of_pairs(self, users: Codes, items: Codes) -> NDArray[np.float64]:
        """Answer pairs of codes, shape (m,)."""
        return self.mean + self.users[users] + self.items[items]

    def of_rows(self, users: Codes) -> NDArray[np.float64]:
        """Answer every item for each of ``users``, shape (b, n_items)."""
        return self.mean + self.users[users, None] + self.items[None, :-1]

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return all there is, by name, for saving."""
        return {"mean": np.array(self.mean), "user_biases": self.users, "item_biases": self.items}

    @classmethod
    def among(cls, arrays: Mapping[str, NDArray[Any]]) -> Biases:
        """Put together what :meth:`arrays` took apart."""
        return cls(float(arrays["mean"]), arrays["user_biases"], arrays["item_biases"])

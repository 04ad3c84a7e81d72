"""What a worker is told: the training rows and the pairs to answer, never the test ratings.

Written once per split as memory-mapped ``.npy`` files and shared by all cells and processes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfbench.ratings import Codes, Ratings, RatingScale
from cfbench.splits.split import Split

_ARRAYS = (
    "train_users",
    "train_items",
    "train_ratings",
    "train_timestamps",
    "users",
    "items",
    "ranked_users",
)


@dataclass(frozen=True, eq=False)
class Questions:
    """The questions of one split.

    Attributes:
        train: what to learn from.
        users: user codes of the pairs whose rating is asked for, shape (m,).
        items: item codes likewise.
        ranked_users: user codes of every test user, one list each, shape (t,).
        tie_seed: seed of the one random order in which ties are broken, the same for all models.
    """

    train: Ratings
    users: Codes
    items: Codes
    ranked_users: Codes
    tie_seed: int

    @classmethod
    def of(cls, split: Split) -> Questions:
        """Take the questions, and only them, from a split."""
        return cls(
            train=split.train,
            users=split.test.users,
            items=split.test.items,
            ranked_users=split.user_coding.codes(split.people),
            tie_seed=int(split.fingerprint[:12], 16),
        )

    def write(self, folder: Path) -> None:
        """Write the arrays into ``folder``, which must exist."""
        arrays = {
            "train_users": self.train.users,
            "train_items": self.train.items,
            "train_ratings": self.train.ratings,
            "train_timestamps": self.train.timestamps,
            "users": self.users,
            "items": self.items,
            "ranked_users": self.ranked_users,
        }
        for name, array in arrays.items():
            if array is not None:
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
        facts = {
            "n_users": self.train.n_users,
            "n_items": self.train.n_items,
            "scale": [self.train.scale.low, self.train.scale.high],
            "tie_seed": self.tie_seed,
        }
        (folder / "questions.json").write_text(json.dumps(facts))

    @classmethod
    def read(cls, folder: Path) -> Questions:
        """Map the arrays of ``folder`` into memory, read-only."""
        facts = json.loads((folder / "questions.json").read_text())
        arrays = {
            name: np.load(path, mmap_mode="r", allow_pickle=False)
            for name in _ARRAYS
            if (path := folder / f"{name}.npy").exists()
        }
        train = Ratings(
            users=arrays["train_users"],
            items=arrays["train_items"],
            ratings=arrays["train_ratings"],
            timestamps=arrays.get("train_timestamps"),
            n_users=facts["n_users"],
            n_items=facts["n_items"],
            scale=RatingScale(*facts["scale"]),
        )
        return cls(train, arrays["users"], arrays["items"], arrays["ranked_users"], facts["tie_seed"])

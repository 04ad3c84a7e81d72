"""What a worker is told: the training rows and the pairs to answer, never the test ratings.

Written once per split as memory-mapped ``.npy`` files and shared by all cells and processes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Entities
from cfbench.data.ids import Coding
from cfbench.data.splits.split import Split
from cfbench.data.splits.withheld import Withheld
from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Ratings, RatingScale

CHECKED_ROWS = 20_000
"""So many training rows are asked about at most, to hold the test error against."""

_TRAIN_COLUMNS = ("users", "items", "ratings", "timestamps")


@dataclass(frozen=True, eq=False)
class Queries:
    """Whom a model is asked about, in codes.

    Attributes:
        users: user codes of the pairs whose rating is asked for, shape (m,).
        items: item codes likewise.
        ranked_users: user codes of every test user, one list each, shape (t,).
    """

    users: Codes
    items: Codes
    ranked_users: Codes


@dataclass(frozen=True, eq=False)
class ColdEntityInputs:
    """Test users and items that are not in training but whose features are known, and the questions with their codes.

    Attributes:
        users: features of the a cold test users, in ascending position in the data's table: they get the codes
            ``n_users .. n_users+a-1``, and the unknown user ``n_users+a``. None where nothing is known of any.
        items: features of the cold test items likewise.
        asked: the same questions as of every model, with these codes.
    """

    users: Features | None
    items: Features | None
    asked: Queries

    @classmethod
    def of(cls, split: Split) -> ColdEntityInputs | None:
        """Look for them in a split; None where nobody new has features."""
        test = split.test
        users, user_codes = _met(split.dataset.users, split.user_coding, test.user_positions)
        items, item_codes = _met(split.dataset.items, split.item_coding, test.item_positions)
        if users is None and items is None:
            return None
        return cls(
            users,
            items,
            Queries(
                user_codes[test.user_positions], item_codes[test.item_positions], user_codes[split.test_user_positions]
            ),
        )


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """The questions of one split.

    Attributes:
        train: what to learn from.
        asked: the pairs and users to answer for, unknown ones sharing one code.
        tie_seed: seed of the one random order in which ties are broken, the same for all models.
        cold_entities: the same for models that can meet newcomers, or None where there are none to meet.
        withheld: items that are no candidates for some of the ranked users, or None.
    """

    train: Ratings
    asked: Queries
    tie_seed: int
    cold_entities: ColdEntityInputs | None = None
    withheld: Withheld | None = None

    @classmethod
    def of(cls, split: Split) -> EvaluationInputs:
        """Take the questions, and only them, from a split."""
        asked = Queries(split.test.users, split.test.items, split.user_coding.codes(split.test_user_positions))
        return cls(split.train, asked, int(split.fingerprint[:12], 16), ColdEntityInputs.of(split), split.withheld)

    @property
    def checked_rows(self) -> NDArray[np.int64]:
        """Positions of some training rows, ascending, drawn from the tie seed; shape (min(n, 20,000),)."""
        n = len(self.train)
        if n <= CHECKED_ROWS:
            return np.arange(n, dtype=np.int64)
        rng = np.random.default_rng([self.tie_seed, CHECKED_ROWS])  # another stream than that of the ties
        return np.sort(rng.choice(n, CHECKED_ROWS, replace=False, shuffle=False))

    def write(self, folder: Path) -> None:
        """Write the arrays into ``folder``, which must exist."""
        arrays = {f"train_{name}": getattr(self.train, name) for name in _TRAIN_COLUMNS} | _asked_arrays(self.asked, "")
        tables = {"train_user": self.train.user_features, "train_item": self.train.item_features}
        if self.cold_entities is not None:
            arrays |= _asked_arrays(self.cold_entities.asked, "met_")
            tables |= {"new_user": self.cold_entities.users, "new_item": self.cold_entities.items}
        if self.withheld is not None:
            arrays |= {"withheld_places": self.withheld.places, "withheld_items": self.withheld.items}
        for name, array in arrays.items():
            if array is not None:
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
        facts = {
            "n_users": self.train.n_users,
            "n_items": self.train.n_items,
            "scale": [self.train.scale.low, self.train.scale.high],
            "timestamps": self.train.timestamps is not None,
            "tie_seed": self.tie_seed,
            "withheld": self.withheld is not None,
            "features": {name: _save_features(features, folder, name) for name, features in tables.items()},
        }
        (folder / "questions.json").write_text(json.dumps(facts))

    @classmethod
    def read(cls, folder: Path) -> EvaluationInputs:
        """Map the arrays of ``folder`` into memory, read-only."""
        facts = json.loads((folder / "questions.json").read_text())
        tables = {name: _load_features(columns, folder, name) for name, columns in facts["features"].items()}
        train = Ratings(
            users=_mapped(folder, "train_users"),
            items=_mapped(folder, "train_items"),
            ratings=_mapped(folder, "train_ratings"),
            timestamps=_mapped(folder, "train_timestamps") if facts["timestamps"] else None,
            n_users=facts["n_users"],
            n_items=facts["n_items"],
            scale=RatingScale(*facts["scale"]),
            user_features=tables["train_user"],
            item_features=tables["train_item"],
        )
        cold_entities = None
        if "new_user" in tables:
            cold_entities = ColdEntityInputs(tables["new_user"], tables["new_item"], _load_asked(folder, "met_"))
        withheld = None
        if facts["withheld"]:
            withheld = Withheld(_mapped(folder, "withheld_places"), _mapped(folder, "withheld_items"))
        return cls(train, _load_asked(folder, ""), facts["tie_seed"], cold_entities, withheld)


def _met(table: Entities, coding: Coding, asked: NDArray[np.int32]) -> tuple[Features | None, Codes]:
    """Return the features of those ``asked`` about who are not in training, and codes by position with theirs."""
    cold = np.unique(asked[coding.codes(asked) == len(coding)])
    features = Features.of(table.columns, cold) if len(cold) else None
    if features is None:
        return None, coding.code_of
    code_of = np.where(coding.code_of == len(coding), len(coding) + len(cold), coding.code_of).astype(np.int32)
    code_of[cold] = len(coding) + np.arange(len(cold), dtype=np.int32)
    return features, code_of


def _asked_arrays(asked: Queries, prefix: str) -> dict[str, NDArray[Any]]:
    return {f"{prefix}{field.name}": getattr(asked, field.name) for field in fields(Queries)}


def _load_asked(folder: Path, prefix: str) -> Queries:
    return Queries(**{field.name: _mapped(folder, f"{prefix}{field.name}") for field in fields(Queries)})


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return array


def _save_features(features: Features | None, folder: Path, name: str) -> list[str] | None:
    """Write one file a column and return the columns' names, which need not be fit for file names."""
    if features is None:
        return None
    for number, column in enumerate(features.columns.values()):
        np.save(folder / f"{name}_{number}.npy", column, allow_pickle=False)
    return list(features.columns)


def _load_features(columns: list[str] | None, folder: Path, name: str) -> Features | None:
    if columns is None:
        return None
    return Features({column: _mapped(folder, f"{name}_{number}") for number, column in enumerate(columns)})

"""Cell: the coordinates of one fit, and the key that its record and raw output are stored under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from cfbench.spec import Spec

SCHEMA = 3
"""Version of the stored form; lines and cells of another version are refused."""

GroupKey: TypeAlias = tuple[str, str, int | None]
"""Data set, split, and point of a curve: what all models of one table have in common."""


@dataclass(frozen=True)
class Cell:
    """Coordinates of one fit: dataset x split x fold x model x parameters x repeat.

    Attributes:
        dataset: the data set as the user wrote it, e.g. ``"ml-100k"`` or ``"synthetic[seed=3]"``.
        split: the splitter likewise.
        fold: the fold's name, ``""`` for a single one.
        split_fingerprint: content of data and membership; see :attr:`cfbench.data.splits.split.Split.fingerprint`.
        model: the model as the user wrote it.
        params: all parameters of the model, defaults included.
        distribution: the distribution that registers the model.
        version: that distribution's version.
        code: digest of all code that the answers depend on, ``Plugin.code``.
        base_seed: the run's seed.
        repeat: 0 for the first fit of these coordinates; each repeat has its own model seed.
        list_length: length of the top-k lists asked for.
        n_given: known ratings of every held-out user or item, where the split is a point of a curve.
        features: content of the side information, :attr:`cfbench.data.dataset.Dataset.features_fingerprint`.
        device: the device asked for.
        threads: threads allowed to the model.
    """

    dataset: str
    split: str
    fold: str
    split_fingerprint: str
    model: str
    params: Mapping[str, Any]
    distribution: str
    version: str
    code: str
    base_seed: int
    repeat: int
    list_length: int
    n_given: int | None = None
    features: str = ""
    device: str = "auto"
    threads: int = 1

    def __hash__(self) -> int:
        # Parameters are a mapping, which has no hash; equality still compares all fields.
        return hash(str(self))

    @property
    def key(self) -> str:
        """Content address: equal exactly for cells that must give equal answers."""
        content = {name: value for name, value in asdict(self).items() if name not in ("dataset", "split", "model")}
        content["model_name"] = Spec.parse(self.model).name
        text = json.dumps({"schema": SCHEMA, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def group(self) -> GroupKey:
        """The result group that the cell belongs to."""
        return (self.dataset, self.split, self.n_given)

    @property
    def installed(self) -> bool:
        """Whether the model's plugin was installed when the cell was planned."""
        return bool(self.version)

    def __str__(self) -> str:
        where = f"{self.dataset} {self.split}" + (f" {self.fold}" if self.fold else "")
        return f"{self.model} on {where}" + (f" repeat {self.repeat}" if self.repeat else "")

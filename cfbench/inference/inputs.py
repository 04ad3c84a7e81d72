"""Inputs of a cell's process: the training rows, the users to rank and the pairs to predict, never the test ratings.

Written once per split as ``.npy`` files, which all cells and processes map into memory. A confined cell can open none
of them: it is handed them open, the pairs when its lists are made.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.dataset import Coding, Entities
from cfbench.data.splits.split import Split, Withheld
from cfbench.inference.output import OutputSizes
from cfbench.inference.pair_order import PairOrder
from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Ratings, RatingScale
from cfbench.spec import seed_of

PAIRS = "pairs"
"""Folder below the inputs that holds the pairs, and name of their files."""

_FACTS = "inputs.json"
_COLUMNS = ("users", "items", "ratings", "timestamps")  # of the training rows


@dataclass(frozen=True, eq=False)
class Queries:
    """The users for whom items are ranked and the pairs whose ratings are predicted, in codes.

    Attributes:
        ranked_users: user codes of every test user, one list each, shape (t,).
        pairs: user codes above item codes, shape (2, s), in the order of
            :class:`cfbench.inference.pair_order.PairOrder`.
    """

    ranked_users: Codes
    pairs: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ColdEntityInputs:
    """Test users and items that are not in training but whose features are known, and the queries in their codes.

    Attributes:
        users: features of the a cold test users, in ascending position in the data's table: they get the codes
            ``n_users .. n_users+a-1``, and the unknown user ``n_users+a``. None where no cold user has features.
        items: features of the cold test items likewise.
        queries: the same queries as of every model, with these codes.
    """

    users: Features | None
    items: Features | None
    queries: Queries

    @classmethod
    def of(cls, split: Split) -> ColdEntityInputs | None:
        """Return the cold entities of a split; None where none has features."""
        test = split.test
        users, user_codes = _cold_features(split.dataset.users, split.user_coding, test.user_positions)
        items, item_codes = _cold_features(split.dataset.items, split.item_coding, test.item_positions)
        if users is None and items is None:
            return None
        pairs = PairOrder.of(split).asked(user_codes[test.user_positions], item_codes[test.item_positions], split.train)
        return cls(users, items, Queries(user_codes[split.test_user_positions], pairs))


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """Inputs of a model on one split: what it learns from, and is then queried about.

    Attributes:
        train: the training rows.
        queries: the users to rank and the pairs to predict, unknown ones sharing one code.
        tie_seed: seed of the one random order in which ties are broken, the same for all models.
        n_tested: how many of the pairs are test rows; None for all.
        cold_entities: the same for models that take cold entities, or None where none has features.
        withheld: items that are no candidates for some of the ranked users, or None.
    """

    train: Ratings
    queries: Queries
    tie_seed: int
    cold_entities: ColdEntityInputs | None = None
    withheld: Withheld | None = None
    n_tested: int | None = None

    @classmethod
    def of(cls, split: Split) -> EvaluationInputs:
        """Take the inputs, and only them, from a split."""
        pairs = PairOrder.of(split).asked(split.test.users, split.test.items, split.train)
        queries = Queries(split.user_coding.codes(split.test_user_positions), pairs)
        cold, seed = ColdEntityInputs.of(split), seed_of(split.fingerprint)
        return cls(split.train, queries, seed, cold, split.withheld, len(split.test))

    def sizes(self, list_length: int) -> OutputSizes:
        """Return the sizes of a cell's output, which answers all pairs; lists have ``list_length`` items."""
        pairs, lists = self.queries.pairs.shape[1], len(self.queries.ranked_users)
        return OutputSizes(pairs, lists, list_length, self.train.n_items, checked=0)

    def write(self, folder: Path) -> None:
        """Write the arrays into ``folder``, which must exist."""
        train, cold, withheld = self.train, self.cold_entities, self.withheld
        found: dict[str, NDArray[Any] | None] = {f"train_{name}": getattr(train, name) for name in _COLUMNS}
        found |= vars(self.queries)
        tables = {"train_user": train.user_features, "train_item": train.item_features}
        if cold is not None:
            found |= {f"cold_{name}": codes for name, codes in vars(cold.queries).items()}
            tables |= {"cold_user": cold.users, "cold_item": cold.items}
        if withheld is not None:
            found |= {"withheld_places": withheld.places, "withheld_items": withheld.items}
        columns = {name: features.columns for name, features in tables.items() if features is not None}
        # One file a column, by number: the columns' names need not be fit for file names.
        for table, named in columns.items():
            found |= {f"{table}_{number}": column for number, column in enumerate(named.values())}
        arrays = {name: array for name, array in found.items() if array is not None}
        (folder / PAIRS).mkdir()
        for name, array in arrays.items():
            np.save(_file(folder, name), array, allow_pickle=False)
        facts = {
            "n_users": train.n_users,
            "n_items": train.n_items,
            "scale": [train.scale.low, train.scale.high],
            "tie_seed": self.tie_seed,
            "sizes": asdict(self.sizes(list_length=0)),
            "n_tested": self.n_tested,
            "arrays": list(arrays),
            "features": {table: list(named) for table, named in columns.items()},
        }
        (folder / _FACTS).write_text(json.dumps(facts), "utf-8")

    @classmethod
    def read(cls, folder: Path, *, with_pairs: bool = True) -> EvaluationInputs:
        """Map the arrays of ``folder`` into memory, read-only; the pairs may be left for :func:`mapped_array`."""
        return cls.of_files(_opened(input_files(folder, with_pairs=with_pairs)), with_pairs=with_pairs)

    @classmethod
    def of_files(cls, files: Iterable[IO[bytes]], *, with_pairs: bool = False) -> EvaluationInputs:
        """Map arrays into memory, of open files in the order of :func:`input_files`."""
        given = iter(files)
        facts = json.loads(next(given).read())
        arrays = dict(zip(_names(facts, with_pairs=with_pairs), map(mapped_array, given), strict=False))
        features = {
            table: Features({column: arrays[f"{table}_{number}"] for number, column in enumerate(columns)})
            for table, columns in facts["features"].items()
        }
        parts: dict[str, Any] = {name: arrays.get(f"train_{name}") for name in _COLUMNS}
        parts |= {f"{side}_features": features.get(f"train_{side}") for side in ("user", "item")}
        scale = RatingScale(*facts["scale"])
        train = Ratings(**parts, n_users=facts["n_users"], n_items=facts["n_items"], scale=scale)
        cold_entities = withheld = None
        if "cold_ranked_users" in arrays:
            queries = _queries(arrays, "cold_")
            cold_entities = ColdEntityInputs(features.get("cold_user"), features.get("cold_item"), queries)
        if "withheld_places" in arrays:
            withheld = Withheld(arrays["withheld_places"], arrays["withheld_items"])
        return cls(train, _queries(arrays), facts["tie_seed"], cold_entities, withheld, facts["n_tested"])


def pairs_file(folder: Path, *, cold: bool) -> Path:
    """Return the file of the inputs in ``folder`` that holds the pairs, in codes with or without cold entities."""
    return _file(folder, f"cold_{PAIRS}" if cold else PAIRS)


def input_files(folder: Path, *, with_pairs: bool = False) -> Iterator[Path]:
    """Yield the files of the inputs in ``folder``: the facts, then the arrays."""
    yield (facts := folder / _FACTS)
    yield from (_file(folder, name) for name in _names(json.loads(facts.read_bytes()), with_pairs=with_pairs))


def mapped_array(file: IO[bytes]) -> NDArray[Any]:
    """Map the array in an open ``.npy`` file into memory, read-only.

    It is no ``np.memmap``: some libraries hand the path of such a one, which this has not, to their own processes.
    """
    np.lib.format.read_magic(file)
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.ndarray(shape, dtype, mapped, file.tell(), order="F" if by_columns else "C")


def _file(folder: Path, name: str) -> Path:
    return (folder / PAIRS if name.endswith(PAIRS) else folder) / f"{name}.npy"


def _names(facts: Mapping[str, Any], *, with_pairs: bool) -> list[str]:
    return [name for name in facts["arrays"] if with_pairs or not name.endswith(PAIRS)]


def _opened(paths: Iterable[Path]) -> Iterator[IO[bytes]]:
    for path in paths:
        with path.open("rb") as file:
            yield file


def _queries(arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Queries:
    none = np.empty((2, 0), dtype=np.int32)
    return Queries(arrays[f"{prefix}ranked_users"], arrays.get(prefix + PAIRS, none))


def _cold_features(table: Entities, coding: Coding, positions: NDArray[np.int32]) -> tuple[Features | None, Codes]:
    """Return the features of those at ``positions`` who are not in training, and codes by position that count them."""
    cold = np.unique(positions[coding.codes(positions) == len(coding)])
    features = Features.of(table.columns, cold) if len(cold) else None
    if features is None:
        return None, coding.code_of
    code_of = np.where(coding.code_of == len(coding), len(coding) + len(cold), coding.code_of).astype(np.int32)
    code_of[cold] = len(coding) + np.arange(len(cold), dtype=np.int32)
    return features, code_of

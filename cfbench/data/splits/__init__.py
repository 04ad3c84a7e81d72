"""Splits: the contract of splitters, the splitters that are shipped, and a train/test split as data.

Everything that the author of a splitter imports is here; the modules are private. Importing this package loads numpy
and the standard library, nothing else.
"""

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.splits.split import Fold, Split, SplitsInTimeOrder, Splitter, TestRows, rank_within, times_of
from cfbench.errors import DataError

__all__ = [
    "DataError",
    "Dataset",
    "Entities",
    "Fold",
    "Origin",
    "PublishedFold",
    "Split",
    "SplitsInTimeOrder",
    "Splitter",
    "TestRows",
    "rank_within",
    "times_of",
]

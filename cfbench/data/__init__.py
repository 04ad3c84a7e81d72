"""Data sets: ratings from files, preprocessing, splits, ids and codes.

What the author of a data set or a preprocessor imports is here, what the author of a splitter imports in
:mod:`cfbench.data.splits`; further modules are private. Importing this package loads numpy and the standard library,
nothing else.
"""

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.preprocessing import Preprocessor, subset
from cfbench.data.sources.source import DataSource, Storage
from cfbench.errors import DataError, DataNotFoundError
from cfbench.model.ratings import RatingScale

__all__ = [
    "DataError",
    "DataNotFoundError",
    "DataSource",
    "Dataset",
    "Entities",
    "Origin",
    "Preprocessor",
    "PublishedFold",
    "RatingScale",
    "Storage",
    "subset",
]

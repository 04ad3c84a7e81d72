"""The contract of a preprocessing plugin (group ``cfbench.preprocessors``)."""

from __future__ import annotations

from typing import Protocol

from cfbench.data.dataset import Dataset


class Preprocessor(Protocol):
    """A step that makes another data set of one, before it is split: a dataclass whose init fields are its parameters.

    A step looks at all rows, those that a splitter will test on included, so it is part of the definition of the data
    and not of a model: figures under different steps are figures on different data, however alike the names. Every
    step is recorded with its parameters, and changes the data's fingerprint wherever it changes anything.

    The same data and parameters must give the same result on any machine; a step draws nothing at random.
    """

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the new data set under the same name; raises DataError, with advice, where nothing would be left."""
        ...

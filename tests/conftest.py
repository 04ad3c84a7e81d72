"""Small hand-made splits and answers for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from cfbench.data.dataset import Dataset, Entities, Origin, PublishedFold
from cfbench.data.splits.split import Fold, Split
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.inference.output import ModelOutput
from cfbench.model.ratings import RatingScale

Row = tuple[int, int, float]


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    """Build a data set from rows of (user, item, rating) on a scale of 1 to 5, relevant from 4 on."""

    def build(
        rows: Sequence[Row], times: Sequence[int] | None = None, folds: Mapping[str, PublishedFold] | None = None
    ) -> Dataset:
        users, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
        return Dataset(
            name="by-hand",
            users=Entities(ids=np.array([f"u{n}" for n in range(users.max() + 1)])),
            items=Entities(ids=np.array([f"i{n}" for n in range(items.max() + 1)])),
            user_index=users.astype(np.int32),
            item_index=items.astype(np.int32),
            ratings=ratings.astype(np.float32),
            timestamps=None if times is None else np.array(times, dtype=np.int64),
            scale=RatingScale(1, 5),
            relevant_from=4,
            origin=Origin(licence="MIT", citation="made by hand"),
            folds=folds or {},
        )

    return build


@pytest.fixture(scope="session")
def make_split(make_dataset: Callable[..., Dataset]) -> Callable[..., Split]:
    """Build a split from rows of (user, item, rating), as ``make_dataset`` takes them."""

    def build(train: Sequence[Row], test: Sequence[Row]) -> Split:
        rows = np.arange(len(train) + len(test), dtype=np.int64)
        return Split.of(make_dataset([*train, *test]), "by-hand", Fold("", rows[: len(train)], rows[len(train) :]))

    return build


@pytest.fixture(scope="session")
def make_evaluation(make_split: Callable[..., Split]) -> Callable[..., Evaluation]:
    """Build an evaluation; ``lists`` name items as the rows do, one list per test user in ascending order."""

    def build(
        train: Sequence[Row],
        test: Sequence[Row],
        predictions: Sequence[float] | None = None,
        lists: Sequence[Sequence[int]] | None = None,
        k: int = 2,
    ) -> Evaluation:
        split = make_split(train, test)
        places = None
        if lists is not None:
            places = np.full((len(lists), k), split.train.n_items, dtype=np.int32)
            for row, items in enumerate(lists):
                places[row, : len(items)] = split.item_coding.code_of[list(items)]
        said = None if predictions is None else np.array(predictions, dtype=np.float32)
        return Evaluation(split, ModelOutput(said, places))

    return build

"""Splits whose digests are written down: published ones must stay what they are, on any machine and numpy."""

import hashlib

import numpy as np
import pytest

from cfbench.registry.registry import Registry
from cfbench.spec import Spec

PINNED = {
    "holdout": "fae3636877e1ab71",
    "repeated-holdout": "174f6ce84cb18fa9",
    "repeated-holdout[random_state=0]": "b1f55ad8d34836d8",
    "kfold[k=3]": "60ae0044d318b46d",
    "per-user-holdout[minimum=2]": "31309afafc8ecb5c",
    "leave-one-out": "a43439a0f4f07f27",
    "leave-one-out[by=time]": "a71980ae8fa0b3b9",
    "temporal": "26a01313b3464c4e",
    "temporal[after=1970-01-02]": "4522436798fbe730",
    "cold-users[given=[0,1,2],share=0.5]": "a0d8c1fb86af3f5b",
    "cold-users[given=[0,1,2],order=time,share=0.5]": "6f4f30b9fa94ea58",
    "cold-items[given=[0,1,2],share=0.5]": "59e715d298cf838d",
    "cold-items[given=[0,1,2],order=time,share=0.5]": "76c65d5e80e3fbd2",
}


@pytest.fixture
def data(make_dataset):
    # 60 ratings by 7 users of 13 items; hours 0 to 36, each of them several times.
    rows = [(n % 7, n % 13, 1 + n % 5) for n in range(60)]
    return make_dataset(rows, times=[3_600 * (n * n % 37) for n in range(60)])


def digest(folds):
    text = hashlib.sha256()
    for fold in folds:
        for rows in (fold.train_rows, fold.test_rows):
            text.update(np.ascontiguousarray(rows, dtype="<i8").tobytes() + b";")
    return text.hexdigest()[:16]


@pytest.mark.parametrize("text", PINNED)
def test_the_seed_42_still_gives_the_split_it_gave(data, text):
    splitter = Registry.discover().create("splitter", Spec.parse(text))
    assert digest(splitter.folds(data, seed=42)) == PINNED[text]


def test_every_splitter_of_the_core_that_draws_is_pinned():
    core = [plugin.name for plugin in Registry.discover().plugins("splitter") if plugin.distribution == "cfbench"]
    assert {Spec.parse(text).name for text in PINNED} == {*core} - {"predefined"}

"""Saved models answer to the bit as they did, in a process that knows nothing but the files."""

import subprocess
import sys

import numpy as np
import pytest

from cfbench.model import FitContext, Ratings, RatingScale, StoreError
from cfbench_torch.dot import DotProduct
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.dot_lookup import LookupDotProduct
from cfbench_torch.nn import NeuralNetwork

MODELS = {
    "dot": DotProduct(y_range=(0, 5.5)),
    "dot-scaled": DotProduct(y_range=None, scale_target=True, untrained_unknown=True),
    "dot-bias": BiasedDotProduct(user_dropout=0.3),
    "dot-bias-no-offset": BiasedDotProduct(offset="none", y_range="observed"),
    "dot-lookup": LookupDotProduct(y_range=None, untrained_unknown=True),
    "nn": NeuralNetwork(layers=(8, 4), user_size=3),
    "nn-normed": NeuralNetwork(layers=(8,), batch_norm=True, dropout=0.2, embedding_dropout=0.1, y_range=None),
}
ELSEWHERE = """
import sys
from importlib import import_module
from pathlib import Path
import numpy as np
users, items = np.indices((10, 8), dtype=np.int32).reshape(2, -1)
for folder in Path(sys.argv[1]).iterdir():
    module, kind = (folder / "class").read_text().split()
    model = getattr(import_module(module), kind).load(folder / "model")
    shown = model.embeddings()
    np.savez(folder / "again.npz", model.predict(users, items), model.score_items(users), shown.users, shown.items)
    (folder / "again").write_text(repr(model) + model.device_)
"""


def ratings() -> Ratings:
    users, items = (grid.ravel().astype(np.int32) for grid in np.indices((9, 7)))
    values = np.random.default_rng(0).integers(1, 6, len(users)).astype(np.float32)
    return Ratings(users, items, values, None, 9, 7, RatingScale(1, 5))


def test_a_saved_model_answers_to_the_bit_in_a_new_process(tmp_path):
    users, items = np.indices((10, 8), dtype=np.int32).reshape(2, -1)  # the last ones are unknown
    expected = {}
    for name, model in MODELS.items():
        model.fit(ratings(), FitContext(1))
        (tmp_path / name / "model").mkdir(parents=True)
        model.save(tmp_path / name / "model")
        (tmp_path / name / "class").write_text(f"{type(model).__module__} {type(model).__name__}")
        shown = model.embeddings()
        expected[name] = [model.predict(users, items), model.score_items(users), shown.users, shown.items]
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(tmp_path)], check=True)
    for name, model in MODELS.items():
        assert (tmp_path / name / "again").read_text() == repr(model) + model.device_
        with np.load(tmp_path / name / "again.npz") as found:
            assert all(
                np.array_equal(a, b, equal_nan=True) for a, b in zip(found.values(), expected[name], strict=True)
            )


def test_a_model_refuses_what_another_kind_saved(tmp_path):
    model = DotProduct()
    model.fit(ratings(), FitContext(0))
    model.save(tmp_path)
    with pytest.raises(StoreError, match=r"cfbench-torch\.dot\.2"):
        LookupDotProduct.load(tmp_path)


@pytest.mark.parametrize("threads", [0, 1025, 2**31, "1", None, 1.5])
def test_a_number_of_threads_that_would_end_the_process_is_refused(tmp_path, threads):
    model = DotProduct()
    model.fit(ratings(), FitContext(0))
    object.__setattr__(model.torch_device_, "threads", threads)
    model.save(tmp_path)
    with pytest.raises(StoreError, match="threads"):
        DotProduct.load(tmp_path)
    if threads == 1025:
        with pytest.raises(ValueError, match="threads=1025: expected 1 to 1024"):
            DotProduct().fit(ratings(), FitContext(0, threads=threads))

"""A model that was brought back is asked as in the run, and what it answers otherwise is told."""

from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from cfbench.analysis.refit.agreement import disagreement
from cfbench.analysis.refit.revival import revive
from cfbench.inference.inputs import Queries
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Cell


class Says:
    """Answers every question with the same ratings, and notes the threads that it was asked with."""

    def __init__(self, *ratings):
        self.ratings = np.array(ratings, dtype=np.float32)

    def predict(self, users, items):
        self.threads = {pool["num_threads"] for pool in threadpool_info()}
        return self.ratings


CODES = np.zeros(2, dtype=np.int32)
ASKED = Queries(CODES, CODES, CODES[:1])
STORED = ModelOutput(np.array([1, np.nan], dtype=np.float32), None)


def test_answers_that_differ_are_told_with_how_much_or_where():
    assert disagreement(Says(1, np.nan), ASKED, None, STORED) == ""
    assert disagreement(Says(1.25, np.nan), ASKED, None, STORED) == "predicted ratings differ by up to 0.25"
    assert disagreement(Says(1, 3), ASKED, None, STORED) == "it has no answer to other pairs than then"


def test_a_model_is_asked_with_the_threads_of_its_cell():
    cell = Cell("d", "s", "", "f" * 64, "toy", {}, "toys", "1", "", 0, 0, 10, threads=1)
    model, notes = Says(1, np.nan), []
    past = SimpleNamespace(
        cell=cell,
        fresh=lambda: model,
        questions=SimpleNamespace(cold_entities=None, asked=ASKED),
        answers=STORED,
        note=notes.append,
    )
    with threadpool_limits(2):
        revive(past)
    assert model.threads == {1}
    assert not notes

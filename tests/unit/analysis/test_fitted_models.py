"""A fitted model of a finished cell is evaluated as in the run, and what differs from then is reported."""

from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from cfbench.analysis import finished_cell as module
from cfbench.analysis.finished_cell import FinishedCell, fitted_model, note_difference, output_difference
from cfbench.inference.inputs import Queries
from cfbench.inference.output import ModelOutput
from cfbench.inference.pair_order import PairOrder
from cfbench.records.cell import Cell
from cfbench.records.record import Record


class Says:
    """Answers every question with the same ratings, and notes the threads that it was asked with."""

    def __init__(self, *ratings):
        self.ratings = np.array(ratings, dtype=np.float32)

    def predict(self, users, items):
        self.threads = {pool["num_threads"] for pool in threadpool_info()}
        return self.ratings


CODES = np.zeros(2, dtype=np.int32)
ASKED = Queries(CODES[:1], np.zeros((2, 2), dtype=np.int32))
ORDER = PairOrder(2, CODES[:0], CODES[:0], CODES[:0], np.arange(2))
STORED = ModelOutput(np.array([1, np.nan], dtype=np.float32), None)


def test_answers_that_differ_are_told_with_how_much_or_where():
    assert output_difference(Says(1, np.nan), ASKED, None, ORDER, STORED) == ""
    assert output_difference(Says(1.25, np.nan), ASKED, None, ORDER, STORED) == "predicted ratings differ by up to 0.25"
    assert output_difference(Says(1, 3), ASKED, None, ORDER, STORED) == "other pairs than in the run lack a prediction"


def test_a_model_is_asked_with_the_threads_of_its_cell(monkeypatch, make_split):
    cell = Cell("d", "s", "", "f" * 64, "toy", {}, "toys", "1", "", 0, 0, 10, threads=1)
    model, notes = Says(1, np.nan), []
    split = make_split([(0, 0, 1), (1, 1, 1)], [(0, 1, 1), (1, 0, 1)])
    finished = FinishedCell(None, Record(cell, "ok"), split, None, STORED, notes.append)
    vars(finished)["inputs"] = SimpleNamespace(cold_entities=None, queries=ASKED)
    monkeypatch.setattr(module, "load_or_fit", lambda _cell: model)
    monkeypatch.setattr(PairOrder, "of", lambda _split: ORDER)
    with threadpool_limits(2):
        note_difference(fitted_model(finished))
    assert model.threads == {1}
    assert not notes

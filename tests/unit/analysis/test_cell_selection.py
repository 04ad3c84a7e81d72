"""Which cell of a run is meant by a few words."""

import pytest

from cfbench.analysis.finished_cell import select_record
from cfbench.errors import UnknownNameError, UsageError
from cfbench.records.cell import Cell
from cfbench.records.record import Record


def record(model: str, fold: str = "", status: str = "ok", dataset: str = "ml-100k") -> Record:
    cell = Cell(dataset, "holdout", fold, "f" * 64, model, {"model": model}, "plugin", "1", "", 0, 0, 10)
    return Record(cell, status)


RUN = (record("svd"), record("dot-bias[epochs=2]"), record("dot-bias[epochs=3]"), record("nn", status="failed"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("svd", 0),
        ("dot-bias[epochs=2]", 1),
        ("epochs=3", 2),
        (RUN[1].cell.key[:6], 1),
        (RUN[2].cell.key, 2),
        ("SVD on", 0),
    ],
)
def test_a_cell_is_named_by_its_model_its_key_or_a_part_of_its_name(text, place):
    assert select_record(RUN, text) is RUN[place]


def test_several_cells_are_listed_with_keys_to_choose_by():
    with pytest.raises(UsageError, match="'dot-bias' fits 2 cells") as refused:
        select_record(RUN, "dot-bias")
    assert f"{RUN[1].cell.key[:8]}  dot-bias[epochs=2] on ml-100k holdout" in str(refused.value)
    assert "svd" not in str(refused.value)


def test_the_only_finished_cell_need_not_be_named():
    assert select_record([RUN[0], RUN[3]], None) is RUN[0]
    with pytest.raises(UsageError, match="there are 3 cells; name one"):
        select_record(RUN, None)


def test_an_unknown_cell_is_answered_by_the_nearest_and_the_list():
    with pytest.raises(UnknownNameError, match="did you mean 'svd'") as refused:
        select_record(RUN, "svdd")
    assert RUN[0].cell.key[:8] in str(refused.value)


def test_failed_cells_have_no_model_to_show():
    with pytest.raises(UnknownNameError):
        select_record(RUN, "nn")
    with pytest.raises(UsageError, match="no cell of this run is finished"):
        select_record([RUN[3]], None)


def test_folds_of_one_model_are_told_apart_by_their_place():
    folds = [record("svd", "1/2"), record("svd", "2/2"), record("svd", "2/21")]
    assert select_record(folds, "svd on ml-100k holdout 2/2") is folds[1]
    with pytest.raises(UsageError, match="fits 3 cells"):
        select_record(folds, "svd")

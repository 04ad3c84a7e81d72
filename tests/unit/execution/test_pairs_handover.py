"""The hand-over of pairs between a cell and its watchdog."""

import os
import select
import socket
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from cfbench.execution.contract import Task
from cfbench.execution.outcome_file import answers_in, digests_of, write_arrays
from cfbench.execution.pairs_handover import Lists, await_inputs, await_pairs, out_of_the_way, send_inputs
from cfbench.execution.pipe_events import parse_event
from cfbench.inference.inputs import EvaluationInputs

LISTS = np.array([[1], [0]], dtype=np.int32)


@pytest.fixture
def task(make_split, tmp_path):
    split = make_split([(0, 0, 5), (1, 1, 3), (2, 1, 2)], [(0, 1, 4), (1, 0, 2)])
    for name in ("inputs", "cell"):
        (tmp_path / name).mkdir()
    EvaluationInputs.of(split).write(tmp_path / "inputs")
    return Task(
        name="key", distribution="tests", label="model", import_path="tests:Model", params={},
        inputs=str(tmp_path / "inputs"), folder=str(tmp_path / "cell"), log="", seed=1, list_length=1, device="cpu",
        threads=1,
    )  # fmt: skip


@pytest.fixture
def ends():
    """The watchdog's descriptor, which does not block, and the cell's."""
    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there:
        yield here.fileno(), there.fileno()


def test_a_cell_gets_all_of_its_inputs_but_the_pairs_as_files_that_it_cannot_write_to(task, ends):
    watchdog, cell = ends
    send_inputs(task, watchdog)
    inputs, whole = await_inputs(cell), EvaluationInputs.read(Path(task.inputs))
    assert inputs.train.users.tolist() == whole.train.users.tolist()
    assert inputs.queries.ranked_users.tolist() == whole.queries.ranked_users.tolist()
    assert inputs.queries.pairs.shape == (2, 0)
    with pytest.raises(ValueError, match="WRITEABLE"):
        inputs.train.ratings.flags.writeable = True
    assert parse_event(os.read(watchdog, 1000)) == {"event": "load", "task": ""}


def test_more_inputs_than_a_message_takes_come_one_after_the_other(task, ends, monkeypatch):
    monkeypatch.setattr("cfbench.execution.pairs_handover._AT_ONCE", 2)
    send_inputs(task, ends[0])
    assert (
        await_inputs(ends[1]).train.ratings.tolist() == EvaluationInputs.read(Path(task.inputs)).train.ratings.tolist()
    )


def test_who_asks_for_inputs_that_there_are_not_does_not_wait(task, ends):
    (Path(task.inputs) / "train_users.npy").unlink()
    send_inputs(task, ends[0])
    with pytest.raises((EOFError, BrokenPipeError)):
        await_inputs(ends[1])


@pytest.fixture
def awaited(task, ends):
    """Let a cell wait for its pairs while the watchdog, in a thread, takes one event and hands them over."""

    def call(lists, *, cold=False):
        watchdog, cell = ends
        heard = []

        def serve():
            select.select([watchdog], [], [])
            heard.append((parse_event(os.read(watchdog, 1000)), np.load(answers_in(task) / "lists.npy").tolist()))
            lists.hand_over(watchdog, cold=heard[0][0]["cold"])

        server = Thread(target=serve)
        server.start()
        try:
            return await_pairs(task, cell, {"lists": LISTS}, cold), heard
        finally:
            server.join()

    return call


def test_the_pairs_come_when_the_lists_are_written_and_told(task, awaited):
    lists = Lists(task)
    pairs, heard = awaited(lists)
    assert heard == [({"event": "ranked", "task": "", "cold": False}, LISTS.tolist())]
    assert np.array_equal(pairs, EvaluationInputs.read(Path(task.inputs)).queries.pairs)
    assert not lists.differ_from(digests_of(task))


@pytest.mark.parametrize("after", [LISTS[::-1], None])
def test_lists_that_change_after_the_hand_over_are_noticed(task, ends, after):
    lists = Lists(task)
    write_arrays(task, {"lists": LISTS})
    lists.hand_over(ends[0], cold=False)
    write_arrays(task, {"lists": LISTS, "predictions": np.zeros(5, dtype=np.float32)})
    assert not lists.differ_from(digests_of(task))
    if after is None:
        (answers_in(task) / "lists.npy").unlink()
    else:
        write_arrays(task, {"lists": after})
    assert lists.differ_from(digests_of(task))


def test_lists_that_are_written_after_the_hand_over_alone_are_noticed(task, ends):
    lists = Lists(task)
    lists.hand_over(ends[0], cold=False)
    write_arrays(task, {"lists": LISTS})
    assert lists.differ_from(digests_of(task))


def test_lists_of_a_ranker_which_is_handed_nothing_may_be_written_at_any_time(task):
    lists = Lists(task)
    write_arrays(task, {"lists": LISTS})
    assert not lists.differ_from(digests_of(task))


def test_who_asks_twice_gets_nothing_and_does_not_wait(task, ends, awaited):
    watchdog, cell = ends
    lists = Lists(task)
    lists.hand_over(watchdog, cold=False)
    with socket.socket(fileno=os.dup(cell)) as channel:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    os.close(descriptors[0])
    with pytest.raises(EOFError, match="has sent the pairs before"):
        awaited(lists)


def test_who_asks_for_pairs_that_there_are_not_does_not_wait(task, awaited):
    with pytest.raises(EOFError):
        awaited(Lists(task), cold=True)


def test_a_cell_does_not_wait_for_a_watchdog_that_has_gone(task):
    here, there = socket.socketpair()
    here.close()
    with there, pytest.raises((EOFError, BrokenPipeError)):
        await_pairs(task, there.fileno(), {"lists": LISTS}, cold=False)


def test_the_way_to_the_watchdog_outlives_the_low_descriptors(ends):
    high = out_of_the_way(ends[1])
    assert high >= 512
    assert not os.get_inheritable(high)
    os.close(high)

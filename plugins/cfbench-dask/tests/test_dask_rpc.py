"""What workers send is held to be from anybody: it becomes an outcome, or a ValueError that says what is wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfbench.execution.outcome_file import most_bytes, saved_in
from cfbench.resources.cost import Cost
from cfbench_dask.file_transfer import PIECE, pack, piece_of
from cfbench_dask.rpc import WorkerFaultError, WorkerGoneError, events_in, received, value_in

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def task(make_task):
    task = make_task("a", "bias", save=True)
    Path(task.folder).parent.mkdir()
    Path(task.inputs).mkdir(parents=True)
    sizes = {"pairs": 2, "lists": 1, "length": 1, "items": 1, "checked": 0}
    (Path(task.inputs) / "inputs.json").write_text(json.dumps({"sizes": sizes}), encoding="utf-8")
    return task


@pytest.fixture
def send(tmp_path, task):
    """Send files, a file with facts of the outcome, and a reply, as a worker would; return what comes of it."""

    def send(sent, replied=None, asked=None, **facts):
        told = {key: facts.pop(key) for key in ("status", "log_tail") if key in facts}
        ok = told.get("status", "ok") == "ok"
        kept = {"status": "ok" if ok else "failed", "answers": [] if ok else None, "reason": ""}
        kept |= {"cost": asdict(Cost()), "losses": [], "versions": {}} | facts
        if "answers" not in sent:
            sent = {"answers/outcome.json": json.dumps(kept).encode()} | sent
        for name, content in sent.items():
            path = tmp_path / "there" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
        archive = tmp_path / "there.zip"
        reply = {"status": "ok", "reason": kept["reason"], "size": pack(archive, {"": tmp_path / "there"})} | told
        return received(asked or task, reply | (replied or {}), lambda position: piece_of(archive, position))

    return send


def test_answers_log_and_saved_model_end_where_local_cells_leave_them(send, task):
    predictions = np.array([1.5, 2.5], dtype=np.float32)
    files = {"answers/predictions.npy": predictions, "saved/facts.json": b"{}", "log": b"said something\n"}
    outcome = send(files, answers=["predictions"])
    assert outcome.status == "ok"
    np.testing.assert_array_equal(outcome.output.predictions, predictions)
    assert (saved_in(task) / "facts.json").read_bytes() == b"{}"
    assert Path(task.log).read_text() == "said something\n"


@pytest.mark.parametrize("status", ["failed", "timeout", "out-of-memory", "crashed"])
def test_a_failure_keeps_its_name_reason_and_last_words(send, status):
    outcome = send({"log": b""}, status=status, reason="on purpose", log_tail="the last words")
    assert (outcome.status, outcome.reason, outcome.log_tail) == (status, "on purpose", "the last words")
    assert outcome.output is None


@pytest.mark.parametrize(
    ("files", "facts", "wrong"),
    [
        ({}, {"status": "skipped"}, "ended as 'skipped'"),
        ({}, {"status": None}, "ended as 'None'"),
        ({}, {"status": "failed", "reason": 5}, "reason: Input should be a valid string"),
        ({}, {"answers": ["predictions"]}, "other answers than it names"),
        ({}, {"answers": ["secrets"]}, "other answers than it names"),
        ({"answers/predictions.npy": np.array(["a"])}, {"answers": ["predictions"]}, "predictions must be float32"),
        ({"answers/predictions.npy": b"no array"}, {"answers": ["predictions"]}, "cannot be read"),
        ({}, {"cost": {"peak_memory": "gold"}, "status": "failed"}, "cannot be read"),
        ({"elsewhere": b""}, {}, "other files than answers"),
        ({"answers": b"no folder"}, {}, "other files than answers"),
        ({}, {"replied": {"size": None}}, "it described no cell"),
        ({}, {"versions": {"numpy": 3}}, "cannot be read: versions.numpy: Input should be a valid string"),
        ({}, {"replied": {"reason": "another"}}, "its answers cannot be read"),
        ({}, {"replied": {"status": "failed"}}, "its answers cannot be read"),
        ({"answers/outcome.json": b"{"}, {}, "cannot be read: Expecting property name"),
    ],
)
def test_what_is_no_answer_is_refused_with_what_is_wrong(send, files, facts, wrong):
    with pytest.raises(ValueError, match=wrong):
        send(files, **facts)


@pytest.mark.parametrize(
    ("size", "piece"), [(4, b""), (4, b"too long for it"), (2 * PIECE, bytes(PIECE + 1)), (4, None), (4, "text")]
)
def test_pieces_that_do_not_fit_are_refused(task, size, piece):
    with pytest.raises(ValueError, match="came in pieces that do not fit"):
        received(task, {"status": "ok", "size": size}, lambda position: piece)


@pytest.mark.parametrize("save", [True, False])
def test_what_no_cell_of_these_questions_leaves_is_not_even_fetched(task, save):
    most = sum(most_bytes(replace(task, save=save)).values())
    assert (1 << 34 if save else 0) < most < (1 << 34) + (3 << 30)
    with pytest.raises(ValueError, match="bytes, more than any to this cell's questions"):
        received(replace(task, save=save), {"status": "ok", "size": most + (65 << 20)}, pytest.fail)


def test_no_part_is_larger_than_that_of_a_local_cell(send, task):
    with pytest.raises(ValueError, match="'log' and its like have more than 8,388,608 bytes"):
        send({"log": bytes((8 << 20) + 1)})
    with pytest.raises(ValueError, match="'saved/model' and its like have more than 0 bytes"):
        send({"saved/model": b"unasked", "log": b""}, asked=replace(task, save=False))


def test_altered_answers_are_refused(task):
    with pytest.raises(ValueError, match="arrived damaged"):
        received(task, {"status": "ok", "size": 4}, lambda position: b"1234")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=JSON)
def test_whatever_describes_no_cell_is_refused(task, facts):
    with pytest.raises(ValueError, match="it described no cell"):
        received(task, facts, lambda position: b"")


@given(
    reply=st.none()
    | st.binary()
    | JSON
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("value", "gone", "wrong"), JSON))
)
def test_any_reply_has_a_value_or_is_refused(reply):
    with suppress(WorkerFaultError, WorkerGoneError):
        value_in(reply)


def test_a_reply_is_a_value_a_fault_or_the_end_of_a_session():
    assert value_in({"value": 3}) == 3
    with pytest.raises(WorkerFaultError, match="the disk is full"):
        value_in({"wrong": "the disk is full"})
    with pytest.raises(WorkerGoneError, match="told to end"):
        value_in({"gone": "told to end"})
    with pytest.raises(WorkerFaultError, match="sent what is no answer: it answered with a NoneType"):
        value_in(None)


@given(
    event=JSON
    | st.tuples(st.floats(), st.fixed_dictionaries({"session": st.just("s"), "worker": st.text(), "events": JSON}))
)
def test_any_message_is_events_or_nothing(event):
    for worker, task, kind, arguments in events_in(event, "s"):
        assert isinstance(worker, str)
        assert isinstance(task, str)
        assert kind in ("cell_phase", "note", "cell_usage", "cell_epoch")
        assert arguments


def test_events_of_other_runs_are_dropped():
    events = [
        ["cell", "cell_phase", ["fit"]],
        ["cell", "cell_epoch", [1, 2, 0.5, None]],
        ["cell", "cell_epoch", [10**30, 2, 0.5, None]],
        ["cell", "cell_usage", [1.0, 10**400]],
        ["cell", "close", []],
        ["", "note", [3]],
    ]
    event = (0.0, {"session": "mine", "worker": "tcp://w", "events": events})
    assert [kind for _, _, kind, _ in events_in(event, "mine")] == ["cell_phase", "cell_epoch"]
    assert list(events_in(event, "another")) == []

"""What is told of cells arrives whole; what is no event is passed over; nobody waits for a reader without need."""

from __future__ import annotations

import os
import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfbench.execution.pipe_events import LONGEST_TEXT, event_line, parse_event, send_if_room, widen


@pytest.fixture
def pipe():
    read, write = os.pipe()
    os.set_blocking(write, False)
    yield read, write
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"[" * 4000,
        b'["phase"]',
        b'{"event": ["phase"]}',
        b'{"event": "none of ours"}',
        b'{"event": "phase"}',
        b'{"event": "phase", "name": 3}',
        b'{"event": "phase", "name": "%s"}' % (b"x" * 1000),
        b'{"event": "epoch", "epoch": "1", "epochs": 2, "train_loss": null, "validation_loss": null}',
        b'{"event": "epoch", "epoch": 1, "epochs": 2, "train_loss": [NaN], "validation_loss": null}',
        b'{"event": "epoch", "epoch": 1%s, "epochs": 2, "train_loss": 1, "validation_loss": 1}' % (b"0" * 30),
        b'{"event": "exited", "code": 0}',
    ],
)
def test_what_is_no_event_is_passed_over(line):
    assert parse_event(line) is None


def test_an_event_keeps_its_own_fields_and_no_others():
    line = b'{"event": "epoch", "epoch": 1, "epochs": 2, "train_loss": NaN, "validation_loss": null, "self": 1}'
    told = parse_event(line)
    assert told is not None
    assert told.pop("train_loss") != 0
    assert told == {"event": "epoch", "task": "", "epoch": 1, "epochs": 2, "validation_loss": None}


@given(st.text(st.characters(), min_size=LONGEST_TEXT, max_size=LONGEST_TEXT))
def test_the_longest_event_is_written_in_one_piece_whatever_is_in_it(text):
    seconds, key = 12345.678901234567, "f" * 32
    line = event_line(
        event="exited",
        task=key,
        code=-9,
        exceeded="out-of-memory",
        unwritten=text,
        peak=1 << 40,
        seconds=seconds,
        seal="f" * 64,
        protections="writes reads network signals system-calls watchdog",
        relisted=False,
    )
    assert len(line) <= select.PIPE_BUF
    assert parse_event(line) is not None


def test_progress_is_left_untold_where_the_reader_is_busy(pipe):
    _, write = pipe
    widen(write)
    told = 0
    while send_if_room(write, "key", event="phase", name="fit"):
        told += 1
    assert told > 10
    assert not send_if_room(write, "key", event="phase", name="fit")

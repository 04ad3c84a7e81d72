"""A tracker hears everything in order, and neither its slowness nor its failure reaches the run."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cfbench.execution.contract import RunEvents
from cfbench.model.protocols import EpochReport
from cfbench.monitoring.broadcast import Broadcast, TrackerThread


@contextmanager
def tracked(tracker, complain, run):
    """Notify a tracker of a run, as the command line does."""
    events = Broadcast([TrackerThread("book", tracker, complain)])
    with events.during(run):
        yield events


class Book(RunEvents):
    """Records the events of cells, and in which thread they come."""

    def __init__(self) -> None:
        self.told: list[tuple] = []
        self.threads: set[str] = set()

    def _write(self, *words: object) -> None:
        self.told.append(words)
        self.threads.add(threading.current_thread().name)

    def run_started(self, run):
        self._write("started", run.suite)

    def cell_kept(self, record):
        self._write("kept", record.cell.model)

    def cell_finished(self, record):
        self._write("finished", record.cell.model)

    def run_finished(self, files, *, complete):
        self._write("over", tuple(files), complete)


def test_a_tracker_is_told_of_every_cell_in_a_thread_of_its_own(make_cell, make_record, make_run):
    book = Book()
    with tracked(book, pytest.fail, make_run()) as events:
        events.cell_kept(make_record(make_cell("svd")))
        events.cell_finished(make_record(make_cell("dot"), "failed"))
        events.files = [Path("table.md")]
    assert book.told == [
        ("started", "by-hand"),
        ("kept", "svd"),
        ("finished", "dot"),
        ("over", (Path("table.md"),), True),
    ]
    assert book.threads == {"tracking by book"}


def test_a_run_that_was_cut_off_ends_incomplete_and_without_files(make_cell, make_record, make_run):
    book = Book()
    with suppress(KeyboardInterrupt), tracked(book, pytest.fail, make_run()) as events:
        events.cell_finished(make_record(make_cell()))
        raise KeyboardInterrupt
    assert book.told[-1] == ("over", (), False)


def test_a_tracker_that_fails_is_given_up_once_and_the_run_goes_on(make_cell, make_record, make_run):
    class Broken(Book):
        def cell_finished(self, record):
            raise ConnectionError("no route to host")

    book, complaints = Broken(), []
    with tracked(book, complaints.append, make_run()) as events:
        for _ in range(3):
            events.cell_finished(make_record(make_cell()))
    assert complaints == ["--track book failed and is given up, results are kept: ConnectionError: no route to host"]
    assert book.told == [("started", "by-hand")]


def test_a_tracker_that_is_slow_holds_nothing_up_and_is_left_behind(make_cell, make_record, make_run):
    may_go_on = threading.Event()

    class Slow(Book):
        def cell_finished(self, record):
            may_go_on.wait(60)
            super().cell_finished(record)

    book, complaints = Slow(), []
    thread = TrackerThread("book", book, complaints.append, patience=0.1)
    with Broadcast([thread]).during(make_run()):
        thread.cell_finished(make_record(make_cell()))
    assert "finished" not in [kind for kind, *_ in book.told]  # the run was over before the tracker had taken it
    assert complaints == ["--track book had not taken everything 0.1 s after the run; it is left behind"]
    may_go_on.set()
    thread.thread.join(60)  # what it leaves behind here must not reach other tests


def test_events_that_a_tracker_ignores_are_not_queued_and_those_it_overrides_arrive(make_cell, make_task, make_run):
    class Curve(Book):
        def cell_epoch(self, task, report):
            self._write("epoch", task.label, report)

    book, task = Curve(), make_task(make_cell())
    with tracked(book, pytest.fail, make_run()) as events:
        events.cell_started(task)
        events.cell_epoch(task, EpochReport(1, 2))
        events.note("a remark")
    assert [kind for kind, *_ in book.told] == ["started", "epoch", "over"]

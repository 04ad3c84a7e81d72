"""A tracker hears everything in order, and neither its slowness nor its failure reaches the run."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from cfbench.monitoring.tracker import TrackedRun
from cfbench.monitoring.tracking import Tracking

RUN = TrackedRun("by-hand", {}, Path("runs/by-hand"), 2, "0.1")


class Book:
    """Writes down what it is told, and in which thread."""

    def __init__(self) -> None:
        self.told: list[tuple] = []
        self.threads: set[str] = set()

    def _write(self, *words: object) -> None:
        self.told.append(words)
        self.threads.add(threading.current_thread().name)

    def begin(self, run):
        self._write("begin", run.suite)

    def cell(self, record, *, kept):
        self._write("cell", record.cell.model, kept)

    def end(self, files, *, complete):
        self._write("end", tuple(files), complete)


def test_a_tracker_is_told_of_every_cell_in_a_thread_of_its_own(make_cell, make_record):
    book = Book()
    with Tracking("book", book, RUN, complain=pytest.fail) as tracking:
        tracking.kept(make_record(make_cell("svd")))
        tracking.finished(make_record(make_cell("dot"), "failed"))
        tracking.concluded([Path("table.md")])
    assert book.told == [
        ("begin", "by-hand"),
        ("cell", "svd", True),
        ("cell", "dot", False),
        ("end", (Path("table.md"),), True),
    ]
    assert book.threads == {"tracking by book"}


def test_a_run_that_was_cut_off_ends_incomplete_and_without_files(make_cell, make_record):
    book = Book()
    with suppress(KeyboardInterrupt), Tracking("book", book, RUN, complain=pytest.fail) as tracking:
        tracking.finished(make_record(make_cell()))
        raise KeyboardInterrupt
    assert book.told[-1] == ("end", (), False)


def test_a_tracker_that_fails_is_given_up_once_and_the_run_goes_on(make_cell, make_record):
    class Broken(Book):
        def cell(self, record, *, kept):
            raise ConnectionError("no route to host")

    book, complaints = Broken(), []
    with Tracking("book", book, RUN, complaints.append) as tracking:
        for _ in range(3):
            tracking.finished(make_record(make_cell()))
    assert complaints == ["--track book failed and is given up, results are kept: ConnectionError: no route to host"]
    assert book.told == [("begin", "by-hand")]


def test_a_tracker_that_is_slow_holds_nothing_up_and_is_left_behind(make_cell, make_record):
    may_go_on = threading.Event()

    class Slow(Book):
        def cell(self, record, *, kept):
            may_go_on.wait(60)
            super().cell(record, kept=kept)

    book, complaints = Slow(), []
    with Tracking("book", book, RUN, complaints.append, patience=0.1) as tracking:
        tracking.finished(make_record(make_cell()))
    assert "cell" not in [kind for kind, *_ in book.told]  # the run was over before the tracker had taken it
    assert complaints == ["--track book had not taken everything 0.1 s after the run; it is left behind"]
    may_go_on.set()
    tracking._thread.join(60)  # what it leaves behind here must not reach other tests

"""Several listeners get the events of the same run."""

from __future__ import annotations

from contextlib import suppress

import pytest

from cfbench.execution.contract import EVENTS, RunEvents
from cfbench.model.protocols import EpochReport
from cfbench.monitoring.broadcast import Broadcast


class Diary(RunEvents):
    """Records what it is notified of."""

    def __init__(self, name: str, page: list[str]) -> None:
        self.name, self.page = name, page

    def run_started(self, run):
        self.page.append(f"{self.name} starts")

    def run_finished(self, files, *, complete):
        self.page.append(f"{self.name} ends" + ("" if complete else " incomplete"))

    def note(self, text: str) -> None:
        self.page.append(f"{self.name}: {text}")


class Stuck(RunEvents):
    def run_started(self, run):
        raise OSError("stuck")


class Fails(RunEvents):
    def run_finished(self, files, *, complete):
        raise OSError("fails")


def test_members_start_in_order_are_notified_in_order_and_end_in_reverse(make_run):
    page: list[str] = []
    both = Broadcast([Diary("a", page), Diary("b", page)])
    with both.during(make_run()):
        both.note("hear")
        both.files = []
    assert page == ["a starts", "b starts", "a: hear", "b: hear", "b ends", "a ends"]


def test_all_learn_that_the_run_was_cut_off(make_run):
    page: list[str] = []
    with suppress(KeyboardInterrupt), Broadcast([Diary("a", page)]).during(make_run()):
        raise KeyboardInterrupt
    assert page == ["a starts", "a ends incomplete"]


def test_where_one_cannot_start_those_before_it_end(make_run):
    page: list[str] = []
    members = [Diary("a", page), Stuck(), Diary("b", page)]
    with pytest.raises(OSError, match="stuck"), Broadcast(members).during(make_run()):
        pass
    assert page == ["a starts", "a ends incomplete"]


def test_where_one_fails_at_the_end_the_others_end_all_the_same(make_run):
    page: list[str] = []
    with pytest.raises(OSError, match="fails"), Broadcast([Diary("a", page), Fails()]).during(make_run()):
        pass
    assert page == ["a starts", "a ends incomplete"]


def test_every_event_reaches_every_member(make_cell, make_task, make_record, make_run):
    heard: list[tuple] = []

    class Ear(RunEvents):
        def __getattribute__(self, name):
            return (
                (lambda *given, **options: heard.append((name, given)))
                if not name.startswith("_")
                else super().__getattribute__(name)
            )

    cell = make_cell()
    task, record = make_task(cell), make_record(cell)
    events = {
        "cell_started": (task,),
        "cell_phase": (task, "fit"),
        "cell_epoch": (task, EpochReport(1, 2)),
        "cell_usage": (task, 1.0, 2),
        "cell_kept": (record,),
        "cell_finished": (record,),
        "note": ("text",),
        "run_started": (make_run(cell),),
        "run_finished": ([],),
    }
    assert events.keys() == set(EVENTS)
    both = Broadcast([Ear(), Ear()])
    for name, given in events.items():
        getattr(both, name)(*given, **({"complete": True} if name == "run_finished" else {}))
    assert heard == [event for event in events.items() for _ in range(2)]

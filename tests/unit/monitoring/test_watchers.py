"""Several watchers hear the same run."""

from __future__ import annotations

from contextlib import suppress

import pytest

from cfbench.model.protocols import EpochReport
from cfbench.monitoring.watcher import Indifferent
from cfbench.monitoring.watchers import Watchers


class Diary(Indifferent):
    """Writes down what it hears."""

    def __init__(self, name: str, page: list[str]) -> None:
        self.name, self.page = name, page

    def __enter__(self):
        self.page.append(f"{self.name} opens")
        return self

    def __exit__(self, kind, error, trace):
        self.page.append(f"{self.name} closes" + (f" on {kind.__name__}" if kind else ""))

    def note(self, text: str) -> None:
        self.page.append(f"{self.name}: {text}")


class Stuck(Indifferent):
    def __enter__(self):
        raise OSError("stuck")


def test_they_open_in_order_hear_in_order_and_close_in_reverse():
    page: list[str] = []
    with Watchers([Diary("a", page), Diary("b", page)]) as both:
        both.note("hear")
    assert page == ["a opens", "b opens", "a: hear", "b: hear", "b closes", "a closes"]


def test_all_learn_that_the_run_was_cut_off():
    page: list[str] = []
    with suppress(KeyboardInterrupt), Watchers([Diary("a", page)]):
        raise KeyboardInterrupt
    assert page == ["a opens", "a closes on KeyboardInterrupt"]


def test_where_one_cannot_open_those_before_it_close():
    page: list[str] = []
    with pytest.raises(OSError, match="stuck"), Watchers([Diary("a", page), Stuck()]):
        pass
    assert page == ["a opens", "a closes on OSError"]


def test_every_event_reaches_every_watcher(make_cell, make_task, make_record):
    heard: list[tuple] = []

    class Ear(Indifferent):
        def __getattribute__(self, name):
            return (
                (lambda *given: heard.append((name, given)))
                if not name.startswith("_")
                else super().__getattribute__(name)
            )

    cell = make_cell()
    task, record = make_task(cell), make_record(cell)
    events = {
        "started": (task,),
        "phase": (task, "fit"),
        "epoch": (task, EpochReport(1, 2)),
        "usage": (task, 1.0, 2),
        "kept": (record,),
        "finished": (record,),
        "note": ("text",),
        "concluded": ([],),
    }
    both = Watchers([Ear(), Ear()])
    for name, given in events.items():
        getattr(both, name)(*given)
    assert heard == [event for event in events.items() for _ in range(2)]

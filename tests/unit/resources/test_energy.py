"""Electricity of a block of work: metered offline, and never at the cost of the work."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time

import pytest

from cfbench.errors import UsageError
from cfbench.resources.energy import check_meter, metered, warm_up

METER = pytest.mark.skipif(importlib.util.find_spec("codecarbon") is None, reason="codecarbon is not installed")


class Figure:
    """Emissions data as codecarbon gives them."""

    energy_consumed = 1e-6


def busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


@METER
def test_work_takes_energy_and_more_work_takes_more():
    with metered() as little:
        busy(0.1)
    with metered() as much:
        busy(0.6)
    assert 0 < little.kwh < much.kwh < 0.01
    assert "codecarbon" in much.method
    assert "estimate" in much.method


@METER
def test_nothing_is_sent_and_nothing_is_written_whatever_the_configuration_says(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("codecarbon used the network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".codecarbon.config").write_text(
        "[codecarbon]\nemissions_endpoint = http://127.0.0.1:9\nelectricitymaps_api_token = x\nsave_to_api = true\n"
    )
    monkeypatch.setenv("CODECARBON_OUTPUT_METHODS", "csv,api")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with metered() as energy:
        busy(0.1)
    assert energy.kwh > 0
    assert [path.name for path in tmp_path.iterdir()] == [".codecarbon.config"]


@METER
def test_a_meter_looks_at_the_machine_once_and_leaves_no_thread():
    before = threading.active_count()
    warm_up()
    assert threading.active_count() == before
    began = time.process_time()  # not the wall's, which goes on while others have the processor
    with metered() as energy:
        pass
    assert time.process_time() - began < 0.2  # the first look takes more than twice that
    assert energy.kwh is not None


@METER
def test_a_block_that_raises_is_metered_and_raises():
    seen = []

    def stumble():
        with metered() as energy:
            seen.append(energy)
            busy(0.1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    assert seen[0].kwh > 0


def test_a_block_that_nobody_wants_metered_has_no_figure_and_loads_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)  # importing it would raise
    with metered(wanted=False) as energy:
        pass
    assert (energy.kwh, energy.method) == (None, "")


def test_a_meter_that_fails_costs_its_figure_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with metered() as energy:
        done = True
    assert done
    assert energy.kwh is None
    assert energy.method.startswith("not metered: ModuleNotFoundError")


def test_a_missing_meter_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'cfbench\[energy\]'"):
        check_meter()


@pytest.mark.parametrize(
    ("hardware", "said"), [("['CPU(Intel Rapl)']", "read from its counters"), ("['CPU(Cpu Load)']", "an estimate")]
)
@METER
def test_a_figure_says_whether_it_was_counted_or_estimated(monkeypatch, hardware, said):
    monkeypatch.setattr("codecarbon.OfflineEmissionsTracker.stop", lambda meter: meter._conf.update(hardware=hardware))
    monkeypatch.setattr("codecarbon.OfflineEmissionsTracker.final_emissions_data", Figure(), raising=False)
    with metered() as energy:
        pass
    assert energy.kwh == 1e-6
    assert said in energy.method


@METER
def test_a_meter_without_a_figure_says_why(monkeypatch):
    monkeypatch.setattr("codecarbon.OfflineEmissionsTracker.stop", lambda _meter: None)
    with metered() as energy:
        pass
    assert energy.kwh is None
    assert energy.method.startswith("codecarbon gave no figure: AttributeError")

"""Electricity of a block of work, metered by codecarbon, an optional library that is imported on demand.

Nothing leaves the machine and nothing is written: codecarbon runs in its offline form, every output off, whatever a
configuration file or the environment says. They may still set the machine's power (``CODECARBON_FORCE_CPU_POWER``, in
W), which improves an estimate.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from cfbench.errors import UsageError

if TYPE_CHECKING:
    from codecarbon import OfflineEmissionsTracker

_SAMPLE_SECONDS = 3600.0  # between samples of counters that add up by themselves
_COUNTERS = ("Rapl", "Emi", "Gadget")  # as codecarbon describes processors whose own counter it reads
_COUNTED = "processor read from its counters, which count the whole machine"
_THREADS_END_SECONDS = 2.0  # for codecarbon's own threads


@dataclass
class Energy:
    """Electricity of a metered block.

    Attributes:
        kwh: electricity in kWh; None until the block ends, where it is not wanted, and where it cannot be measured.
        method: how it was measured or estimated, or why there is no figure; empty where it is not wanted.
    """

    kwh: float | None = None
    method: str = ""


def check_meter() -> None:
    """Raise UsageError, with the remedy, where codecarbon is not installed."""
    if importlib.util.find_spec("codecarbon") is None:
        raise UsageError("--energy needs codecarbon, which is not installed; pip install 'cfbench[energy]'")


def warm_up() -> None:
    """Import codecarbon and let it inspect the machine, 1.5 s that a process forked from this one need not spend.

    The threads that codecarbon starts have ended when this returns.
    """
    before = threading.active_count()
    with metered():
        pass
    deadline = time.monotonic() + _THREADS_END_SECONDS
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)


@contextmanager
def metered(wanted: bool = True) -> Iterator[Energy]:
    """Meter the block; the yielded :class:`Energy` is filled in when it ends, also when it raises.

    A meter that fails costs its figure, never the block. The estimate counts this process and its children; counters
    of the processor count the whole machine.
    """
    energy = Energy()
    meter = _started(energy) if wanted else None
    try:
        yield energy
    finally:
        if meter is not None:
            try:  # codecarbon swallows its own errors and then has no figure
                meter.stop()
                energy.kwh = float(meter.final_emissions_data.energy_consumed)
                hardware = str(getattr(meter, "_conf", {}).get("hardware", ""))
                counted = any(word in hardware for word in _COUNTERS)
                source = _COUNTED if counted else "an estimate from processor time and rated power"
                energy.method = f"{source}; memory estimated (codecarbon {version('codecarbon')})"
            except Exception as error:  # noqa: BLE001 - a meter must not cost the cell
                energy.kwh, energy.method = None, f"codecarbon gave no figure: {type(error).__name__}: {error}"


def _started(energy: Energy) -> OfflineEmissionsTracker | None:
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # it greets before it reads its own log_level
    try:
        from codecarbon import OfflineEmissionsTracker  # noqa: PLC0415 - optional, and half a second with its pandas

        meter = OfflineEmissionsTracker(
            # Asked for; these turn kWh into CO2, which is not read. pue is a factor of the energy itself.
            country_iso_code="FRA",
            force_carbon_intensity_g_co2e_kwh=1.0,
            pue=1.0,
            cloud_provider=None,
            electricitymaps_api_token="",
            emissions_endpoint=None,
            output_methods=[],
            output_handlers=[],
            log_level="critical",
            tracking_mode="process",
            measure_power_secs=_SAMPLE_SECONDS,
            allow_multiple_runs=True,
        )
        meter.start()
    except Exception as error:  # noqa: BLE001 - a meter must not cost the cell
        energy.method = f"not metered: {type(error).__name__}: {error}"
        return None
    return meter

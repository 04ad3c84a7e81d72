"""How many cores runs may use, and whether something stands in their way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from cfbench.doctor.control_group import allowed_cores
from cfbench.doctor.finding import Finding

_TOPIC = "processors"
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def processor_findings(environment: Mapping[str, str]) -> list[Finding]:
    """Tell usable cores, thread variables that make no sense here, and other work on the machine."""
    cores, usable = os.cpu_count() or 1, usable_cores()
    why = "" if usable >= cores else "; the rest is kept from this process by affinity or a container's limit"
    told = f"{usable:g} of {cores} cores usable; --jobs times --threads should not exceed that{why}"
    return [Finding(_TOPIC, "ok", told), *_threads(environment, usable), *_other_work(usable)]


def usable_cores() -> float:
    """Return how many cores this process may use, by affinity and control group."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = allowed_cores()
    return float(mine) if allowed is None else min(float(mine), allowed)


def _threads(environment: Mapping[str, str], usable: float) -> Iterator[Finding]:
    for variable in _VARIABLES:
        value = environment.get(variable, "").strip()
        if not value:
            continue
        counts = value.split(",")  # OpenMP takes one for each level of nesting
        if not all(count.strip().isdecimal() and int(count) > 0 for count in counts):
            yield Finding(_TOPIC, "warning", f"{variable}={value} is no number of threads", f"unset {variable}")
        elif int(counts[0]) > usable:
            told = f"{variable}={value} is more than the {usable:g} cores usable here"
            yield Finding(_TOPIC, "warning", told, f"unset {variable}; cells get --threads threads whatever it says")


def _other_work(usable: float) -> Iterator[Finding]:
    """Tell of a machine that is busy before any run has begun."""
    try:
        load = os.getloadavg()[0]
    except OSError:  # not every system keeps it
        return
    if load >= usable + 0.5:
        told = (
            f"{load:.1f} threads wanted a core in the last minute, there are {usable:g}: times will come out too long"
        )
        yield Finding(
            _TOPIC, "warning", told, "wait for other work to end where seconds matter; other figures are safe"
        )

"""How well this system can keep cells apart from the run, from the data and from one another."""

from __future__ import annotations

import sys

from cfbench.doctor.finding import Finding
from cfbench.execution.sandbox import landlock_version

_TOPIC = "isolation"


def isolation_findings() -> list[Finding]:
    """Tell what the kernel offers to confine a cell's process."""
    if sys.platform != "linux":
        told = f"{sys.platform}: cells are processes of their own, but cannot be kept from writing to results or data"
        return [Finding(_TOPIC, "warning", told, "run plugins that you do not trust on Linux")]
    version = landlock_version()
    if version == 0:
        told = "no Landlock: cells are processes of their own, but could write to results or data"
        return [Finding(_TOPIC, "warning", told, "Linux 5.13 or later with landlock among its lsm= modules")]
    return [Finding(_TOPIC, "ok", f"Landlock {version}: cells cannot write to results or data")]

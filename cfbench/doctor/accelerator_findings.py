"""Whether there is a GPU, and whether torch can use it. torch itself is asked in a plugin's process, never in this."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from cfbench.doctor.finding import Finding
from cfbench.doctor.import_probing import Cuda, Probe

_TOPIC = "CUDA"
_PATIENCE = 5.0  # seconds for nvidia-smi


def accelerator_findings(probes: Sequence[Probe]) -> list[Finding]:
    """Hold the GPUs that the driver knows against those that torch can use."""
    cuda = next((probe.cuda for probe in probes if probe.cuda is not None), None)
    return [_judged(_gpus(), cuda)]


def _judged(gpus: Sequence[str], cuda: Cuda | None) -> Finding:
    named = ", ".join(gpus)
    if cuda is None:
        return Finding(_TOPIC, "ok", f"{named or 'no NVIDIA GPU'}; no plugin that could be imported uses torch")
    build = f"torch {cuda['version']}"
    if cuda["devices"]:
        return Finding(_TOPIC, "ok", f"{', '.join(cuda['devices'])}; {build} with CUDA {cuda['cuda']} can use it")
    if not gpus:
        return Finding(_TOPIC, "ok", f"no NVIDIA GPU; {build} runs on the processor")
    if cuda["cuda"] is None:
        remedy = "pip install torch from the index of its CUDA builds, https://pytorch.org/get-started/locally/"
        return Finding(_TOPIC, "warning", f"{named}, but {build} is a CPU build and cannot use it", remedy)
    remedy = "a newer driver, or a torch built for an older CUDA; CUDA_VISIBLE_DEVICES may also hide it"
    return Finding(_TOPIC, "warning", f"{named}, but {build} with CUDA {cuda['cuda']} cannot use it", remedy)


def _gpus() -> list[str]:
    """Return the names of NVIDIA's GPUs with their drivers, empty where there are none or nobody can tell."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        told = subprocess.run(  # noqa: S603 - the driver's own program, without any text from elsewhere
            [program, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    names = [line.partition(",") for line in told.stdout.splitlines() if line.strip()]
    return [f"{name.strip()} (driver {driver.strip()})" for name, _, driver in names] if told.returncode == 0 else []

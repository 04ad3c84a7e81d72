"""What a model costs: seconds, memory, bytes on disk, electricity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract, NotApplicable, Single

_MEBIBYTE = 2**20
_ONE_CELL = "one figure per fit; the mean over folds and repeats"
_WALL = "cfbench; the clock is Python's time.perf_counter"
_CPU = "cfbench; the clock is Python's time.process_time"
_OUTSIDE = "imports, first-call warm-up, loading of data, masking, cutting of lists and metrics are outside the clock"
_ASKED = "cold users and items are asked about like all others"
_NOT_ASKED = "n/a: costs of what training holds"


@dataclass(frozen=True)
class FitSeconds:
    """Wall seconds that the model's own ``fit`` took, and nothing else."""

    contract: ClassVar[Contract] = Contract(
        title="wall seconds of fitting",
        formula=f"wall seconds inside the model's fit; {_OUTSIDE}",
        family="cost",
        needs=("cost",),
        direction="lower",
        averaging=_ONE_CELL,
        cold_policy=_NOT_ASKED,
        source=_WALL,
        unit="s",
        display=",.3f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "fit-seconds"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Read the clock; ``n`` counts training rows."""
        return _timed(evaluation.cost.seconds, "fit", len(evaluation.split.train))


@dataclass(frozen=True)
class FitCPUSeconds:
    """CPU seconds that the model's own ``fit`` took, over all its threads; above wall seconds where it uses several."""

    contract: ClassVar[Contract] = Contract(
        title="CPU seconds of fitting, over all threads",
        formula=f"user and system CPU seconds of the process inside the model's fit; {_OUTSIDE}",
        family="cost",
        needs=("cost",),
        direction="lower",
        averaging=_ONE_CELL,
        cold_policy=_NOT_ASKED,
        source=_CPU,
        unit="s",
        display=",.3f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "fit-CPU-seconds"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Read the clock; ``n`` counts training rows."""
        return _timed(evaluation.cost.cpu_seconds, "fit", len(evaluation.split.train))


@dataclass(frozen=True)
class PredictSeconds:
    """Wall seconds of the model's own answers: every test rating and every test user's scores of the catalogue."""

    contract: ClassVar[Contract] = Contract(
        title="wall seconds of answering",
        formula="wall seconds inside the model's predict and score_items, for all test rows and for the scores of the "
        f"whole catalogue of every test user; {_OUTSIDE}",
        family="cost",
        needs=("cost",),
        direction="lower",
        averaging=_ONE_CELL,
        candidates="the whole training catalogue is scored; seen items are masked outside the clock",
        cold_policy=_ASKED,
        source=_WALL,
        unit="s",
        display=",.3f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "predict-seconds"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Read the clock; ``n`` counts test rows."""
        return _timed(evaluation.cost.seconds, "predict", len(evaluation.split.test))


@dataclass(frozen=True)
class RatingsPerSecond:
    """Training rows per wall second of the model's own ``fit``, all epochs together."""

    contract: ClassVar[Contract] = Contract(
        title="training ratings per second of fitting",
        formula="training rows / wall seconds inside the model's fit; a row counts once, however many epochs see it",
        family="cost",
        needs=("cost",),
        direction="higher",
        averaging=_ONE_CELL,
        cold_policy=_NOT_ASKED,
        source=_WALL,
        unit="ratings/s",
        display=",.0f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "ratings-per-second"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Divide rows by seconds; NaN for a fit too short for the clock."""
        rows = len(evaluation.split.train)
        timed = _timed(evaluation.cost.seconds, "fit", rows)
        if isinstance(timed, NotApplicable):
            return timed
        return Single(rows / timed.value if timed.value > 0 else float("nan"), rows)


@dataclass(frozen=True)
class PeakMemory:
    """Peak resident memory of the cell's process, in MiB, from before its data are loaded to its last answer."""

    contract: ClassVar[Contract] = Contract(
        title="peak memory of the cell's process",
        formula="largest resident set of the process that fits and answers, from before loading its data on; pages "
        "shared with the libraries loaded beforehand count only where the cell touches them; 1 MiB = 2^20 bytes",
        family="cost",
        needs=("cost",),
        direction="lower",
        averaging=_ONE_CELL,
        cold_policy=_ASKED,
        source="cfbench; the peak is VmHWM of Linux, proc_pid_status(5)",
        unit="MiB",
        display=",.0f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "peak-memory-MiB"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Convert the peak from bytes; ``n`` counts training rows."""
        if not evaluation.cost.peak_memory:
            return NotApplicable("the cell's memory was not measured")
        return Single(evaluation.cost.peak_memory / _MEBIBYTE, len(evaluation.split.train))


@dataclass(frozen=True)
class ModelSize:
    """Bytes of the files that the model's own ``save`` writes, in MiB."""

    contract: ClassVar[Contract] = Contract(
        title="size of the saved model",
        formula="bytes of all files that the model's save writes; 1 MiB = 2^20 bytes",
        family="cost",
        needs=("saved-model",),
        direction="lower",
        averaging=_ONE_CELL,
        cold_policy=_NOT_ASKED,
        source="cfbench",
        unit="MiB",
        display=",.3f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "model-size-MiB"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Convert the size from bytes; ``n`` counts training rows."""
        if evaluation.cost.model_bytes is None:
            return NotApplicable("the model was not saved")
        return Single(evaluation.cost.model_bytes / _MEBIBYTE, len(evaluation.split.train))


@dataclass(frozen=True)
class EnergyUsed:
    """Electricity of fitting and answering, in kWh; an estimate where the processor has no readable counter."""

    contract: ClassVar[Contract] = Contract(
        title="electricity of fitting and answering",
        formula="kWh of processor, memory and GPUs from before fit to after the last answer, as codecarbon gives them: "
        "read from the processor's RAPL counters where the system lets it, which count all that the machine does then; "
        "elsewhere estimated from the process's processor time and the processor's rated power; each record says which",
        family="cost",
        needs=("energy",),
        direction="lower",
        averaging=_ONE_CELL,
        cold_policy=_ASKED,
        source="codecarbon, https://github.com/mlco2/codecarbon; Khan et al., RAPL in Action, ACM TOMPECS 3(2), 2018",
        unit="kWh",
        display=".3g",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "energy-kWh"

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Pass the meter's figure on; ``n`` counts training rows."""
        cost = evaluation.cost
        if cost.energy_kwh is None:
            return NotApplicable(cost.energy_method or "the cell's electricity was not metered")
        return Single(cost.energy_kwh, len(evaluation.split.train))


def _timed(seconds: Mapping[str, float], part: str, n: int) -> Single | NotApplicable:
    """Return the seconds of one part of a cell's work, resting on ``n`` rows."""
    if part not in seconds:
        return NotApplicable(f"the cell's clock has no part {part!r}")
    return Single(seconds[part], n)

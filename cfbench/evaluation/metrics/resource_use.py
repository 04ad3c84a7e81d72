"""Costs of a cell: seconds, memory, bytes on disk, electricity."""

from __future__ import annotations

from collections.abc import Sized
from functools import partial
from typing import ClassVar

from cfbench.evaluation.metrics import Contract, Evaluation, NotApplicable, Single
from cfbench.evaluation.metrics.metric import of_cell

_MEBIBYTE = 2**20
_OUTSIDE = "imports, first-call warm-up, loading of data, masking, cutting of lists and metrics are outside the clock"
_QUERIED = "cold users and items are queried like all others"
_WALL = "cfbench; the clock is Python's time.perf_counter"
_NO_FIT = "the cell's clock has no part 'fit'"

_of_clock = partial(of_cell, source=_WALL, unit="s", display=",.3f")


def _figure(value: float | None, rows: Sized, missing: str) -> Single | NotApplicable:
    """Return one number of a cell's cost, resting on so many rows; without it, why it is ``missing``."""
    return NotApplicable(missing) if value is None else Single(value, len(rows))


class FitSeconds:
    """Wall seconds that the model's own ``fit`` took, and nothing else."""

    name: ClassVar[str] = "fit-seconds"
    contract: ClassVar[Contract] = _of_clock(
        title="wall seconds of fitting",
        formula=f"wall seconds inside the model's fit; {_OUTSIDE}",
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Read the clock; ``n`` counts training rows."""
        return _figure(evaluation.cost.seconds.get("fit"), evaluation.split.train, _NO_FIT)


class FitCPUSeconds:
    """CPU seconds that the model's own ``fit`` took, over all its threads; above wall seconds where it uses several."""

    name: ClassVar[str] = "fit-CPU-seconds"
    contract: ClassVar[Contract] = _of_clock(
        title="CPU seconds of fitting, over all threads",
        formula=f"user and system CPU seconds of the process inside the model's fit; {_OUTSIDE}",
        source="cfbench; the clock is Python's time.process_time",
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Read the clock; ``n`` counts training rows."""
        return _figure(evaluation.cost.cpu_seconds.get("fit"), evaluation.split.train, _NO_FIT)


class PredictSeconds:
    """Wall seconds of the model's own predictions: every test rating and every test user's scores of the catalogue."""

    name: ClassVar[str] = "predict-seconds"
    contract: ClassVar[Contract] = _of_clock(
        title="wall seconds of predicting",
        formula="wall seconds inside the model's predict and score_items, for all test rows and for the scores of the "
        "whole catalogue of every test user; test rows are asked among decoys and training rows, and count by their "
        f"share of the pairs; what is asked again does not count; {_OUTSIDE}",
        candidates="the whole training catalogue is scored; seen items are masked outside the clock",
        cold_policy=_QUERIED,
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Read the clock; ``n`` counts test rows."""
        seconds = evaluation.cost.seconds.get("predict")
        return _figure(seconds, evaluation.split.test, "the cell's clock has no part 'predict'")


class RatingsPerSecond:
    """Training rows per wall second of the model's own ``fit``, all epochs together."""

    name: ClassVar[str] = "ratings-per-second"
    contract: ClassVar[Contract] = of_cell(
        title="training ratings per second of fitting",
        formula="training rows / wall seconds inside the model's fit; a row counts once, however many epochs see it",
        direction="higher",
        source=_WALL,
        unit="ratings/s",
        display=",.0f",
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Divide rows by seconds; NaN for a fit too short for the clock."""
        train, seconds = evaluation.split.train, evaluation.cost.seconds.get("fit")
        if seconds is not None:
            seconds = len(train) / seconds if seconds > 0 else float("nan")
        return _figure(seconds, train, _NO_FIT)


class PeakMemory:
    """Peak resident memory of the cell's process, in MiB, from before its data are loaded to its last prediction."""

    name: ClassVar[str] = "peak-memory-MiB"
    contract: ClassVar[Contract] = of_cell(
        title="peak memory of the cell's process",
        formula="largest resident set of the process that fits and predicts, from before loading its data on; pages "
        "shared with the libraries loaded beforehand count only where the cell touches them; 1 MiB = 2^20 bytes",
        cold_policy=_QUERIED,
        source="cfbench; the peak is VmHWM of Linux, proc_pid_status(5)",
        unit="MiB",
        display=",.0f",
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Convert the peak from bytes; ``n`` counts training rows."""
        peak = evaluation.cost.peak_memory / _MEBIBYTE or None  # 0 where it was not measured
        return _figure(peak, evaluation.split.train, "the cell's memory was not measured")


class ModelSize:
    """Bytes of the files that the model's own ``save`` writes, in MiB."""

    name: ClassVar[str] = "model-size-MiB"
    contract: ClassVar[Contract] = of_cell(
        title="size of the saved model",
        formula="bytes of all files that the model's save writes; 1 MiB = 2^20 bytes",
        needs=("saved-model",),
        source="cfbench",
        unit="MiB",
        display=",.3f",
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Convert the size from bytes; ``n`` counts training rows."""
        size = evaluation.cost.model_bytes
        mebibytes = None if size is None else size / _MEBIBYTE
        return _figure(mebibytes, evaluation.split.train, "the model was not saved")


class EnergyUsed:
    """Electricity of fitting and predicting, in kWh; an estimate where the processor has no readable counter."""

    name: ClassVar[str] = "energy-kWh"
    contract: ClassVar[Contract] = of_cell(
        title="electricity of fitting and predicting",
        formula="kWh of processor, memory and GPUs from before fit to after the last prediction, as codecarbon gives "
        "them: read from the processor's RAPL counters where the system lets it, which count all that the machine does "
        "then; elsewhere estimated from the process's processor time and the processor's rated power; each record says "
        "which",
        needs=("energy",),
        cold_policy=_QUERIED,
        source="codecarbon, https://github.com/mlco2/codecarbon; Khan et al., RAPL in Action, ACM TOMPECS 3(2), 2018",
        unit="kWh",
        display=".3g",
    )

    def measure(self, evaluation: Evaluation) -> Single | NotApplicable:
        """Return the meter's figure; ``n`` counts training rows."""
        missing = evaluation.cost.energy_method or "the cell's electricity was not metered"
        return _figure(evaluation.cost.energy_kwh, evaluation.split.train, missing)

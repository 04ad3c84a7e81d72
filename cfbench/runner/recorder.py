"""Records of cells: outcomes measured by every metric of the study, with provenance."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

from cfbench.evaluation.measure import measure
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.sanity_checks import answer_warnings
from cfbench.execution.task import Outcome
from cfbench.experiment.plan import Planned
from cfbench.experiment.study import Study
from cfbench.inference.output import ModelOutput
from cfbench.records.record import Record
from cfbench.resources.clock import Clock
from cfbench.results.bootstrap_samples import BootstrapQueue


@dataclass
class Recorder:
    """Makes the records of one run.

    Attributes:
        study: the cells, their metrics and splits.
    """

    study: Study

    def __post_init__(self) -> None:
        self.queue = BootstrapQueue(self.study)

    def skipped(self, planned: Planned) -> Record:
        """Record a cell whose plugin cannot be used here."""
        return Record(planned.cell, "skipped", planned.plugin.problem, provenance=_provenance({}))

    def concluded(self, planned: Planned, outcome: Outcome) -> Record:
        """Record the outcome of a cell that was run."""
        record = Record(
            cell=planned.cell,
            status=outcome.status,
            reason=outcome.reason,
            cost=outcome.cost,
            losses=outcome.losses,
            provenance=_provenance(outcome.versions),
            log_tail=outcome.log_tail,
        )
        return record if outcome.output is None else self.measured(record, outcome.output)

    def measured(self, record: Record, answers: ModelOutput) -> Record:
        """Measure raw answers by exactly the study's metrics; earlier figures of the record are replaced."""
        split = self.study.splits.of(record.cell)
        clock = Clock()
        with clock.part("measure"):
            evaluation = Evaluation(split, answers, record.cost)
            measured = measure(evaluation, self.study.metrics)
            warnings = answer_warnings(evaluation, measured, self.study.metrics)
        self.queue.add(record.cell, split.test_user_positions, measured.sums, set(measured.figures))
        cost = replace(
            record.cost,
            seconds={**record.cost.seconds, **clock.wall},
            cpu_seconds={**record.cost.cpu_seconds, **clock.cpu},
        )
        return replace(
            record,
            metrics=measured.figures,
            tables=measured.tables,
            missing=measured.missing,
            fallback=split.train.mean,
            warnings=tuple(warnings),
            cost=cost,
        )


def _provenance(versions: Mapping[str, str]) -> dict[str, str]:
    return {
        **versions,
        "cfbench": version("cfbench"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }

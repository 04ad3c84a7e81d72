"""Metrics, and everything that the author of one needs."""

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import (
    FAMILIES,
    Breakdown,
    Contract,
    CutOff,
    Measurement,
    Metric,
    Need,
    NotApplicable,
    Single,
)
from cfbench.evaluation.statistics.bootstrap import PerUser, Pooled

__all__ = [
    "FAMILIES",
    "Breakdown",
    "Contract",
    "CutOff",
    "Evaluation",
    "Measurement",
    "Metric",
    "Need",
    "NotApplicable",
    "PerUser",
    "Pooled",
    "Single",
]

"""Metrics, and what the author of one needs."""

from cfbench.evaluation.metrics.cutoff import CutOff
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Breakdown, Contract, Metric, NotApplicable, Single
from cfbench.evaluation.metrics.sums import PerUser, Pooled

__all__ = [
    "Breakdown",
    "Contract",
    "CutOff",
    "Evaluation",
    "Metric",
    "NotApplicable",
    "PerUser",
    "Pooled",
    "Single",
]

"""Metrics, and what the author of one needs."""

from cfbench.metrics.cutoff import CutOff
from cfbench.metrics.evaluation import Evaluation
from cfbench.metrics.metric import Breakdown, Contract, Metric, NotApplicable, Single
from cfbench.metrics.sums import PerUser, Pooled

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

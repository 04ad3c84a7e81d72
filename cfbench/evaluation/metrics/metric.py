"""The contract of a metric plugin (group ``cfbench.metrics``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias, get_args

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.sums import PerUser, Pooled
from cfbench.model.limits import require_whole

Need: TypeAlias = Literal["ratings", "lists", "scores", "embeddings", "cost", "saved-model", "energy"]
"""What a metric is computed from: predicted ratings, top-k lists, mean scores of the catalogue, item embeddings, or
the cost of the cell."""

FAMILIES = ("accuracy", "ranking", "cold start", "popularity bias", "representation", "beyond accuracy", "cost")
"""The families of the metrics that cfbench brings, in the order in which tables and pages show them."""


def family_rank(family: str) -> tuple[int, str]:
    """Order families: those that cfbench brings first, in their order, then those of other plugins by name."""
    return (FAMILIES.index(family) if family in FAMILIES else len(FAMILIES), family)


@dataclass(frozen=True)
class Contract:
    """The exact definition that is printed with every number.

    Attributes:
        title: one line for lists.
        formula: the formula in the notation of docs/metrics.
        family: the group it is shown with: one of :data:`FAMILIES`, or the plugin's own.
        needs: what it is computed from; a model that cannot give it gets "n/a".
        direction: whether ``"lower"`` or ``"higher"`` is better, or ``"none"`` where neither is.
        averaging: over what the mean is taken.
        cold_policy: what happens with users and items outside training.
        source: the paper or text the definition follows.
        clipping: whether predictions are clipped to the rating scale.
        candidates: which items compete for the list.
        relevance: when a test item counts as relevant.
        unit: ``"rating"``, ``"share"``, ``"count"`` ...
        figure: of a table, the figure that stands for it: shown by stratum, and compared where ``direction`` says how.
        display: format of a value in tables, as Python's format specification: ``".4f"``, ``".1%"``.
    """

    title: str
    formula: str
    family: str
    needs: tuple[Need, ...]
    direction: Literal["lower", "higher", "none"]
    averaging: str
    cold_policy: str
    source: str
    clipping: str = "n/a"
    candidates: str = "n/a"
    relevance: str = "n/a"
    unit: str = ""
    figure: str = ""
    display: str = ".4f"

    def mistakes(self) -> list[str]:
        """Return what is wrong with the contract, one text for each mistake."""
        found = []
        if not isinstance(self.needs, tuple) or not set(self.needs) <= set(get_args(Need)):
            found.append(f"needs must be a tuple of {', '.join(get_args(Need))}; got {self.needs!r}")
        if self.direction not in ("lower", "higher", "none"):
            found.append(f"direction must be lower, higher or none; got {self.direction!r}")
        texts = (self.title, self.formula, self.family, self.averaging, self.cold_policy, self.source)
        if not all(isinstance(text, str) and text for text in texts):
            found.append("title, formula, family, averaging, cold_policy and source must be non-empty texts")
        try:
            format(0.5, self.display)
        except (TypeError, ValueError):
            found.append(f"display must be a format for numbers such as .4f; got {self.display!r}")
        return found


@dataclass(frozen=True)
class Single:
    """A metric of the whole system that cannot be resampled over users, with the number of units it rests on.

    Attributes:
        value: the value; NaN where there is none.
        n: how many users, rows or items it rests on.
        interval: the ends of a 95 % interval that the metric knows by other means, or None.
    """

    value: float
    n: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Breakdown:
    """A metric that is a small table: one row per stratum.

    Attributes:
        rows: by stratum, its named figures. Sums over users get intervals and are pooled over folds; plain numbers
            are counts, which are added up over folds.
        facts: named figures of the whole, such as where the tail was cut.
    """

    rows: Mapping[str, Mapping[str, PerUser | float]]
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NotApplicable:
    """The reason why these data cannot have the metric: "the items have no genres"."""

    reason: str


Measurement: TypeAlias = PerUser | Pooled | Single | Breakdown | NotApplicable


class Metric(Protocol):
    """Measures a model's output. A frozen dataclass whose init fields are its parameters.

    A metric of the first places of lists has a field ``k``, which decides how long lists are: see :class:`CutOff`.
    """

    contract: ClassVar[Contract]

    @property
    def name(self) -> str:
        """The standard name with its parameters, e.g. ``"NDCG@10"``; a class variable where there are none."""
        ...

    def measure(self, evaluation: Evaluation) -> Measurement:
        """Compute from raw output; vectorised over users, deterministic, no side effects."""
        ...


@dataclass(frozen=True)
class CutOff:
    """A metric of the first ``k`` places of every list, by default 10; it is measured on lists of exactly ``k`` places.

    Raises ValueError unless ``k`` is a whole number of at least 1.
    """

    label: ClassVar[str]
    k: int = 10

    def __post_init__(self) -> None:
        require_whole(self, 1, "k")

    @property
    def name(self) -> str:
        """The standard name with its cut-off."""
        return f"{self.label}@{self.k}"


def length_needed(metric: Metric) -> int:
    """Return how long lists must be for ``metric``: its ``k``, or 0 where it reads no lists."""
    k = getattr(metric, "k", 0)
    return k if "lists" in metric.contract.needs and isinstance(k, int) else 0


def apply_metric(metric: Metric, evaluation: Evaluation) -> Measurement:
    """Return what ``metric`` measures, on lists cut to the metric's ``k`` where it has one.

    Raises UsageError where the lists are shorter, and whatever the metric raises.
    """
    k = length_needed(metric)
    return metric.measure(evaluation.of_first(k) if k else evaluation)

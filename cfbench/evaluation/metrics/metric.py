"""The contract of a metric plugin (group ``cfbench.metrics``): what it declares and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias, get_args

from cfbench.evaluation.statistics.bootstrap import PerUser, Pooled
from cfbench.model.limits import require_whole

if TYPE_CHECKING:
    from cfbench.evaluation.metrics.evaluation import Evaluation

Need: TypeAlias = Literal["ratings", "lists", "scores", "embeddings", "cost", "saved-model", "energy"]
"""What a metric is computed from: predicted ratings, top-k lists, mean scores of the catalogue, item embeddings, the
clock and memory of the cell, the files of the saved model, or the cell's electricity."""

FAMILIES = ("accuracy", "ranking", "cold start", "popularity bias", "representation", "beyond accuracy", "cost")
"""The families of the metrics that cfbench brings, in the order in which tables and pages show them."""


def family_rank(family: str) -> tuple[int, str]:
    """Return a key to sort families by: those that cfbench brings in their order, then those of plugins by name."""
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
        known, texts = get_args(Need), ("title", "formula", "family", "averaging", "cold_policy", "source")
        found = []
        if not isinstance(self.needs, tuple) or not set(self.needs) <= set(known):
            found.append(f"needs must be a tuple of {', '.join(known)}; got {self.needs!r}")
        if self.direction not in ("lower", "higher", "none"):
            found.append(f"direction must be lower, higher or none; got {self.direction!r}")
        if not all(isinstance(text := getattr(self, name), str) and text for name in texts):
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
    """Measure of a model's output. Where it has parameters, it is a frozen dataclass whose init fields they are.

    A metric of the first places of lists has a field ``k``, which decides how long lists are: see :class:`CutOff`.
    """

    contract: ClassVar[Contract]

    @property
    def name(self) -> str:
        """The standard name with its parameters, e.g. ``"NDCG@10"``; a class variable where there are none."""

    def measure(self, evaluation: Evaluation) -> Measurement:
        """Compute from raw output; vectorised over users, deterministic, no side effects."""


@dataclass(frozen=True)
class CutOff:
    """A metric of the first ``k`` places of every list, by default 10; it is measured on lists of exactly ``k`` places.

    A subclass without parameters of its own needs no decorator.

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


RELEVANCE = "test rating >= relevant_from of the data set"
HITS = "mean over test users with a relevant test item; an empty list counts 0"
COLD_HITS = "cold users count; cold items count as relevant and cannot be hit"
PROFILES = "users without a training profile or without a list are left out; cold items are in no list"
FILLED_ROWS = "rows without a prediction get the training mean"
HERLOCKER = "Herlocker et al. 2004, Evaluating collaborative filtering recommender systems"

# Contracts of metrics of one kind, less what each adds: of a mean over all test rows, over the users with a list (with
# the two families of such metrics), over the users with a relevant test item, and of a cost of one cell.
of_rows = partial(
    Contract,
    family="accuracy",
    needs=("ratings",),
    direction="lower",
    averaging="all test rows alike (a user weighs as much as their rows)",
    cold_policy=f"cold users and items count like all others; {FILLED_ROWS}",
    clipping="predictions clipped to the rating scale",
    unit="rating",
)
of_lists = partial(
    Contract,
    needs=("lists",),
    direction="higher",
    averaging="mean over test users who got a list; users without one are left out",
    candidates="training catalogue minus the user's training items, all of it",
    cold_policy="cold users count if they got a list; cold items are in no list",
    unit="share",
)
of_popularity = partial(of_lists, family="popularity bias")
of_beyond = partial(of_lists, family="beyond accuracy")
of_hits = partial(of_lists, family="ranking", averaging=HITS, relevance=RELEVANCE, cold_policy=COLD_HITS)
of_cell = partial(
    Contract,
    family="cost",
    needs=("cost",),
    direction="lower",
    averaging="one figure per fit; the mean over folds and repeats",
    cold_policy="n/a: costs of what training holds",
)

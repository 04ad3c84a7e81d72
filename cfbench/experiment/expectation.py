"""What a suite is expected to show: published figures, bounds, and warnings that must be given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cfbench.spec import Spec

ClaimKind: TypeAlias = Literal["published", "at_most", "at_least", "warning"]

_KINDS: tuple[ClaimKind, ...] = get_args(ClaimKind)


@dataclass(frozen=True)
class Expected:
    """One claim about one model, as verification judges it.

    Attributes:
        model: the model as the suite writes it.
        rule: how ``value`` is meant.
        value: the published figure, the bound, or the code of the warning that must be given.
        tolerance: by how much ours may differ from a published figure, either way.
        metric: the figure's name; of a table's stratum ``"cold-users: 0: RMSE"``; empty for a warning.
        than: another model, whose figure is subtracted first; or None.
        dataset: the data set it is about, or None for all of the suite's.
        split: the splitter likewise.
        n_given: the point of a curve, or None.
        source: where the figure was published, or what the bound rests on.
        note: what a reader should know beside it.
    """

    model: str
    rule: ClaimKind
    value: float | str
    tolerance: float
    metric: str
    than: str | None
    dataset: str | None
    split: str | None
    n_given: int | None
    source: str
    note: str


class Expectation(BaseModel):
    """Claims that share metric, source and tolerance; in a suite file a table ``[[expected]]``.

    ::

        [[expected]]
        metric = "RMSE"
        source = "A. Author, A paper, 2001, table 2"
        tolerance = 0.001
        published = { "my-model" = 0.934, "my-model[n_factors=50]" = 0.963 }

    Attributes:
        metric: the figure that ``published``, ``at_most`` and ``at_least`` are about.
        published: figures by model; ours may differ by ``tolerance``.
        at_most, at_least: bounds by model.
        warning: by model, the code of a warning that must be given.
        tolerance: of ``published``, above 0; a published figure is good to its last digit at best.
        than: a model whose figure is subtracted before anything is compared.
        dataset, split, n_given: where several are run, which is meant.
        source, note: for readers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    metric: str = ""
    published: Mapping[str, float] = Field(default_factory=dict)
    at_most: Mapping[str, float] = Field(default_factory=dict)
    at_least: Mapping[str, float] = Field(default_factory=dict)
    warning: Mapping[str, str] = Field(default_factory=dict)
    tolerance: float | None = Field(default=None, gt=0)
    than: str | None = None
    dataset: str | None = None
    split: str | None = None
    n_given: int | None = Field(default=None, ge=0)
    source: str = Field(min_length=1)
    note: str = ""

    @field_validator("published", "at_most", "at_least", "warning")
    @classmethod
    def _canonical_models(cls, value: Mapping[str, object]) -> Mapping[str, object]:
        claims = {str(Spec.parse(model)): claim for model, claim in value.items()}
        if len(claims) < len(value):
            raise ValueError(f"names one model twice, written in two ways: {', '.join(value)}")
        return claims

    @field_validator("than", "dataset", "split")
    @classmethod
    def _canonical_name(cls, value: str | None) -> str | None:
        return None if value is None else str(Spec.parse(value))

    @model_validator(mode="after")
    def _states_something(self) -> Expectation:
        if not any(getattr(self, rule) for rule in _KINDS):
            raise ValueError(f"states nothing; give one of {', '.join(_KINDS)}, as model = value")
        if not self.metric and (self.published or self.at_most or self.at_least):
            raise ValueError("needs a metric, whose figure is compared")
        if self.published and self.tolerance is None:
            raise ValueError("published figures need a tolerance")
        return self

    def claims(self) -> Iterator[Expected]:
        """Yield one claim for each model and rule, in the order of the file."""
        shared = {name: getattr(self, name) for name in ("dataset", "split", "n_given", "source", "note")}
        for rule in _KINDS:
            for model, value in getattr(self, rule).items():
                metric, than = ("", None) if rule == "warning" else (self.metric, self.than)
                yield Expected(model, rule, value, self.tolerance or 0.0, metric, than, **shared)

    def models(self) -> Iterator[str]:
        """Yield every model that a claim names, some more than once."""
        for rule in _KINDS:
            yield from getattr(self, rule)
        if self.than is not None:
            yield self.than

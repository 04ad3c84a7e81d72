"""Suites: which models are run on which data under which splits, and what they are expected to show.

From TOML, the JSON that a run wrote, or the command line.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cfbench.errors import SpecError, UnknownNameError, UsageError
from cfbench.files.guarded_reading import MEBIBYTE, parse_json, read_plain, require_shallow
from cfbench.registry.registry import shipped_suites
from cfbench.spec import Spec

METRICS = (
    "RMSE",
    "MAE",
    "prediction-coverage",
    "NDCG@10",
    "Recall@10",
    "Precision@10",
    "cold-users",
    "cold-items",
    "ARP@10",
    "APLT@10",
    "Gini@10",
    "coverage@10",
    "popularity-deciles",
    "user-activity",
    "novelty@10",
    "fit-seconds",
    "fit-CPU-seconds",
    "predict-seconds",
    "peak-memory-MiB",
)
"""What is measured unless a suite says otherwise."""

# A name that a package index can have: it is shown as a command to type.
_Distribution: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$")]

_LARGEST = MEBIBYTE  # of a suite file; the shipped ones have a few kilobytes
_MOST_COMPONENTS = 1_000  # of one kind
_MOST_REPEATS = 10_000
_MOST_MISTAKES = 20  # shown of one file
_MOST_DOTS = 300  # in one line: of a key a.a.a... tomllib keeps every beginning


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


class Suite(BaseModel):
    """A benchmark, fully described.

    In TOML a component is a text ``"my-model[n_factors=50]"`` or a table ``{name = "my-model", n_factors = 50}``.

    Attributes:
        name: names the run's folder.
        description: one line for readers.
        datasets, preprocess, splits, models, metrics: component texts; preprocessing steps apply to every data set,
            in their order, before it is split.
        seed: base seed; splits and models derive theirs from it.
        repeats: fits of each cell with different model seeds.
        plugins: the models that each plugin distribution brings, so that a model whose plugin is not installed is
            skipped, with the command that installs it, instead of being unknown.
        expected: what the suite is known to show, for ``cfbench verify``; a run does not use it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    description: str = ""
    datasets: tuple[str, ...] = Field(min_length=1)
    preprocess: tuple[str, ...] = ()
    splits: tuple[str, ...] = Field(default=("holdout",), min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    metrics: tuple[str, ...] = Field(default=METRICS, min_length=1)
    seed: int = Field(default=0, ge=0, lt=2**63, strict=True)
    repeats: int = Field(default=1, ge=1, le=_MOST_REPEATS, strict=True)
    plugins: dict[_Distribution, tuple[str, ...]] = Field(default={}, max_length=_MOST_COMPONENTS)
    expected: tuple[Expectation, ...] = Field(default=(), max_length=_MOST_COMPONENTS)

    @field_validator("datasets", "preprocess", "splits", "models", "metrics", mode="before")
    @classmethod
    def _component_texts(cls, value: object) -> object:
        """Bring every component to its canonical text."""
        if not isinstance(value, list | tuple):
            return value
        if len(value) > _MOST_COMPONENTS:
            raise ValueError(f"expected at most {_MOST_COMPONENTS:,}, got {len(value):,}")
        texts = []
        for component in value:
            if isinstance(component, str):
                texts.append(str(Spec.parse(component)))
            elif isinstance(component, Mapping):
                params = dict(component)
                name = params.pop("name", None)
                if not isinstance(name, str):
                    raise ValueError(f"a component table needs a text 'name', got {component!r}")
                texts.append(str(Spec(name, params)))
            else:
                raise ValueError(f"a component is a text or a table with a name, got {component!r}")
        repeated = {text for text, times in Counter(texts).items() if times > 1}
        if repeated:
            raise ValueError(f"listed twice: {', '.join(sorted(repeated))}")
        return tuple(texts)

    @model_validator(mode="after")
    def _expects_its_own_components(self) -> Suite:
        """Require expectations to name models, data sets and splits of the suite."""
        for one in self.expected:
            places = (("dataset", one.dataset, self.datasets), ("split", one.split, self.splits))
            named = [*(("model", name, self.models) for name in one.models()), *places]
            for kind, name, known in named:
                if name is not None and name not in known:
                    raise ValueError(f"expected: {UnknownNameError.among(f'{kind} of the suite', name, known)}")
        return self

    @property
    def distributions(self) -> dict[str, str]:
        """The distribution of every model that ``plugins`` names."""
        return {model: distribution for distribution, models in self.plugins.items() for model in models}

    @property
    def data_files(self) -> tuple[Path, ...]:
        """The files that the data sets name, as their name or as a parameter: the user's own, wherever they lie."""
        texts = [str(one) for spec in map(Spec.parse, self.datasets) for one in (spec.name, *spec.params.values())]
        # Methods of Path raise where a text can be no file's name: it is too long, or begins with ~nobody.
        paths = map(os.path.expanduser, texts)
        return tuple(Path(path) for path in paths if os.path.isfile(path))  # noqa: PTH113

    @classmethod
    def read(cls, path: Path) -> Suite:
        """Read a suite file; raises SpecError that lists all mistakes with their places."""
        return cls.check({"name": path.stem, **_content(path, "TOML", _parse_toml)}, str(path))

    @classmethod
    def read_json(cls, path: Path) -> Suite:
        """Read the suite that a run wrote; raises UsageError or SpecError where it cannot be read."""
        content = _content(path, "JSON", parse_json)
        if not isinstance(content, dict):
            raise SpecError(f"suite {path} must be a JSON object, got {type(content).__name__}")
        return cls.check(content, str(path))

    @classmethod
    def check(cls, content: Mapping[str, Any], where: str) -> Suite:
        """Validate ``content``; raises SpecError that lists all mistakes."""
        try:
            return cls.model_validate(content)
        except SpecError as error:
            raise SpecError(f"{where}: {error}") from error
        except ValidationError as error:
            mistakes = [_mistake(detail) for detail in error.errors()[:_MOST_MISTAKES]]
            more = error.error_count() - len(mistakes)
            raise SpecError(f"{where}: " + "; ".join(mistakes) + (f"; and {more} more" if more else "")) from error

    @classmethod
    def find(cls, name: str) -> Suite:
        """Return the suite file at path ``name`` or the suite of that name that an installed distribution ships."""
        path, shipped = Path(name), shipped_suites()
        if path.suffix == ".toml" or (name not in shipped and path.is_file()):
            return cls.read(path)
        if name not in shipped:
            advice = "`cfbench list suites` shows all; a suite file's name ends in .toml."
            raise UnknownNameError.among("suite", name, shipped, advice)
        if shipped[name].problem:
            raise UsageError(f"suite {name!r} of {shipped[name].distribution}: {shipped[name].problem}")
        return cls.read(shipped[name].path)


_MISTAKES = {
    "tuple_type": "expected a list",
    "too_short": "expected at least one",
    "missing": "is missing",
    "string_pattern_mismatch": "expected letters, digits, '.', '_' or '-', beginning with a letter or digit; "
    "the name of a distribution, as in acme-recommenders, also ends with one",
}


def _content(path: Path, form: str, parse: Callable[[bytes], Any]) -> Any:
    """Return what a file in the format ``form`` holds; raises UsageError or SpecError where it cannot be read."""
    try:
        return parse(read_plain(path, _LARGEST))
    except OSError as error:
        raise UsageError(
            f"cannot read suite {path}: {error.strerror}; give the path of a suite file, or the name of a "
            "shipped one: `cfbench list suites` shows all"
        ) from error
    except (ValueError, RecursionError) as error:  # tomllib's own error and those of decoding are ValueErrors
        raise SpecError(f"suite {path} is not valid {form}: {error}") from error


def _parse_toml(data: bytes) -> dict[str, Any]:
    text = data.decode()
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line has more than {_MOST_DOTS} dots")
    content = tomllib.loads(text)
    require_shallow(content)
    return content


def _mistake(detail: Mapping[str, Any]) -> str:
    """Return one mistake that pydantic found, in words, with its place."""
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        *table, key = detail["loc"]
        form: type[BaseModel] = Expectation if table else Suite
        return str(UnknownNameError.among("key", str(key), form.model_fields))
    message = _MISTAKES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    return f"{place}: {message}" if place else message

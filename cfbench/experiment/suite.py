"""A suite: which models meet which data under which splits, as TOML or from the command line."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cfbench.errors import SpecError, UnknownNameError, UsageError
from cfbench.experiment.expectation import Expectation
from cfbench.files.plain_file import MEBIBYTE, read_plain
from cfbench.files.strict_json import parse_json, require_shallow
from cfbench.registry.shipped_suites import shipped_suites
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

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_LARGEST = MEBIBYTE  # of a suite file; the shipped ones have a few kilobytes
_MOST_COMPONENTS = 1_000  # of one kind
_MOST_REPEATS = 10_000
_MOST_TOLD = 20
_MOST_DOTS = 300  # in one line: of a key a.a.a... tomllib keeps every beginning


class Suite(BaseModel):
    """A benchmark, fully described.

    In TOML a component is a text ``"dot-bias[n_factors=50]"`` or a table ``{name = "dot-bias", n_factors = 50}``.

    Attributes:
        name: names the run's folder.
        description: one line for readers.
        datasets, preprocess, splits, models, metrics: component texts; preprocessing steps apply to every data set,
            in their order, before it is split.
        seed: base seed; splits and models derive theirs from it.
        repeats: fits of each cell with different model seeds.
        plugins: the models that each plugin distribution brings, so that a model whose plugin is not installed is
            skipped, with the command that installs it, instead of being unknown.
        expected: what the suite is known to show, for ``cfbench verify``; a run does not look at it.
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
    plugins: dict[str, tuple[str, ...]] = Field(default={}, max_length=_MOST_COMPONENTS)
    expected: tuple[Expectation, ...] = Field(default=(), max_length=_MOST_COMPONENTS)

    @field_validator("datasets", "preprocess", "splits", "models", "metrics", mode="before")
    @classmethod
    def _component_texts(cls, value: object) -> object:
        """Bring every component to its canonical text."""
        if not isinstance(value, list | tuple):
            return value
        if len(value) > _MOST_COMPONENTS:
            raise ValueError(f"expected at most {_MOST_COMPONENTS:,}, got {len(value):,}")
        texts = tuple(_component_text(entry) for entry in value)
        repeated = {text for text, times in Counter(texts).items() if times > 1}
        if repeated:
            raise ValueError(f"listed twice: {', '.join(sorted(repeated))}")
        return texts

    @field_validator("plugins")
    @classmethod
    def _distribution_names(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Demand names that a package index can have: they are shown as a command to type."""
        for name in value:
            if not _DISTRIBUTION.fullmatch(name):
                raise ValueError(f"expected names of distributions, as in cfbench-torch, got {name!r}")
        return value

    @model_validator(mode="after")
    def _expects_of_its_own(self) -> Suite:
        """Demand that expectations speak of the suite's models, data sets and splits."""
        for expectation in self.expected:
            _require_among("model", expectation.models(), self.models)
            _require_among("dataset", filter(None, [expectation.dataset]), self.datasets)
            _require_among("split", filter(None, [expectation.split]), self.splits)
        return self

    @property
    def distributions(self) -> dict[str, str]:
        """The distribution of every model that ``plugins`` names."""
        return {model: distribution for distribution, models in self.plugins.items() for model in models}

    @classmethod
    def read(cls, path: Path) -> Suite:
        """Read a suite file; raises SpecError that lists all mistakes with their places."""
        try:
            content = _parsed_toml(read_plain(path, _LARGEST).decode())
        except OSError as error:
            raise UsageError(f"cannot read suite {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # tomllib's own error and those of decoding are ValueErrors
            raise SpecError(f"suite {path} is not valid TOML: {error}") from error
        return cls.check({"name": path.stem, **content}, str(path))

    @classmethod
    def read_json(cls, path: Path) -> Suite:
        """Read the suite that a run wrote down; raises UsageError or SpecError where it cannot be read."""
        try:
            content = parse_json(read_plain(path, _LARGEST))
        except OSError as error:
            raise UsageError(f"cannot read suite {path}: {error.strerror}") from error
        except ValueError as error:
            raise SpecError(f"suite {path} is not valid JSON: {error}") from error
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
            told = [_mistake(detail) for detail in error.errors()[:_MOST_TOLD]]
            more = error.error_count() - len(told)
            raise SpecError(f"{where}: " + "; ".join(told) + (f"; and {more} more" if more else "")) from error

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
    "string_pattern_mismatch": "expected letters, digits, '.', '_' or '-', beginning with a letter or digit",
}


def _parsed_toml(text: str) -> dict[str, Any]:
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line has more than {_MOST_DOTS} dots")
    content = tomllib.loads(text)
    require_shallow(content)
    return content


def _component_text(entry: object) -> str:
    if isinstance(entry, Mapping):
        params = dict(entry)
        name = params.pop("name", None)
        if not isinstance(name, str):
            raise ValueError(f"a component table needs a text 'name', got {entry!r}")
        return str(Spec(name, params))
    if isinstance(entry, str):
        return str(Spec.parse(entry))
    raise ValueError(f"a component is a text or a table with a name, got {entry!r}")


def _require_among(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"expected: {UnknownNameError.among(f'{kind} of the suite', name, known)}")


def _mistake(detail: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        *table, key = detail["loc"]
        return str(UnknownNameError.among("key", str(key), _keys(Expectation if table else Suite)))
    told = _MISTAKES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    return f"{place}: {told}" if place else told


def _keys(form: type[BaseModel]) -> Iterable[str]:
    return form.model_fields

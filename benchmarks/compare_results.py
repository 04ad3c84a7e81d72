"""Comparison of two recomputations of results: every figure must be equal to the bit, seconds and memory apart.

``python benchmarks/compare_results.py BEFORE AFTER``: each is a folder of run folders (or one run folder) with a
``records.jsonl``. Terms that were renamed between the two versions are mapped by the tables below, on the side that
still uses the old ones. Exit code 1 where a figure differs or is missing on one side.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RENAMED_KEYS = {"cautions": "warnings", "given": "n_given"}
RENAMED_KINDS = {"setting": "conditions"}
RENAMED_NAMES = {
    "answered": "prediction-coverage",
    "test_users_with_a_liked_item": "test_users_with_a_relevant_item",
}
"""Metrics, figures of strata and counts."""

_EPOCHS = {"iterations": "epochs"}
_IMPLICIT = {"factors": "n_factors", "iterations": "epochs"}
_SURPRISE = {
    "n_epochs": "epochs",
    "lr_all": "learning_rate",
    "reg_all": "regularization",
    "bsl_n_epochs": "bsl_epochs",
}
RENAMED_PARAMETERS = {"als": _EPOCHS, "bias-svd": _EPOCHS, "implicit-": _IMPLICIT, "surprise-": _SURPRISE}
"""Old to new parameter names, by model, or by the beginning of its name where that ends in a dash."""

NOT_COMPARED = {
    # What an execution costs, and when and by which sources it was made.
    *("cost", "seconds", "cpu_seconds", "peak_memory", "provenance", "version", "cfbench", "code", "seal", "answers"),
    # Layout of the file, and texts whose wording is no figure.
    *("schema_version", "kind", "text", "contract", "reason", "log_tail"),
    # Why a metric has no value: texts before, a status with a text after.
    *("not_applicable", "broken_metrics", "missing"),
}
COST_METRICS = re.compile(r"^(fit-|predict-|ratings-per-second|peak-memory|model-size|energy)")


def main(before: Path, after: Path) -> int:
    """Compare all runs that both folders have; print a line for each run, and one for each difference."""
    runs = sorted(path.parent.relative_to(before) for path in before.rglob("records.jsonl"))
    differing = compared = 0
    for run in runs:
        if not (after / run / "records.jsonl").is_file():
            print(f"{run}: missing after")
            differing += 1
            continue
        old, new = figures(before / run / "records.jsonl"), figures(after / run / "records.jsonl")
        differences = [name for name in sorted({*old, *new}) if not same(old.get(name), new.get(name))]
        for name in differences[:20]:
            print(f"  {name}: {old.get(name)!r} before, {new.get(name)!r} after")
        print(f"{run}: {len(old)} values before, {len(new)} after, {len(differences)} differ")
        differing += len(differences)
        compared += len(old)
    print(f"{compared} values of {len(runs)} runs compared, {differing} differ")
    return 1 if differing or not compared else 0


def figures(path: Path) -> dict[str, Any]:
    """Return every compared value of a ``records.jsonl`` by its address: kind, coordinates and path within the line."""
    found: dict[str, Any] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = renamed(json.loads(text))
        address = coordinates(line)
        for place, value in leaves(line):
            found[f"{address} {place}"] = value
    return found


def coordinates(line: dict[str, Any]) -> str:
    """Name a line by what it is about."""
    cell = line.get("cell", line)
    parts = ("dataset", "split", "fold", "n_given", "model", "repeat", "metric", "best")
    named = [f"{part}={cell[part]}" for part in parts if cell.get(part) not in (None, "")]
    return " ".join([RENAMED_KINDS.get(line["kind"], line["kind"]), *named])


def renamed(value: Any) -> Any:
    """Bring a line of the older version to today's terms."""
    if isinstance(value, dict):
        pairs = {RENAMED_NAMES.get(key, RENAMED_KEYS.get(key, key)): renamed(one) for key, one in value.items()}
        if isinstance(pairs.get("model"), str):
            name = pairs["model"].partition("[")[0]
            parameters = RENAMED_PARAMETERS.get(name, RENAMED_PARAMETERS.get(f"{name.partition('-')[0]}-", {}))
            for old, new in parameters.items():
                pairs["model"] = re.sub(rf"(?<=[\[,]){old}=", f"{new}=", pairs["model"])
            if isinstance(pairs.get("params"), dict):
                pairs["params"] = {parameters.get(key, key): one for key, one in pairs["params"].items()}
        return pairs
    if isinstance(value, list):
        return [renamed(one) for one in value]
    if isinstance(value, str):
        return ": ".join(RENAMED_NAMES.get(part, part) for part in value.split(": "))
    return value


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the scalars below ``value`` with their places, those left out that are not compared."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in NOT_COMPARED and not COST_METRICS.match(key):
                yield from leaves(one, f"{place}.{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, f"{place}[{number}]")
    else:
        yield place, value


def same(old: Any, new: Any) -> bool:
    """Whether two values are equal to the bit; JSON has one text for each double."""
    return type(old) is type(new) and json.dumps(old) == json.dumps(new)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

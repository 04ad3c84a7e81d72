"""How much of a default run is not the models' own work: fit, predict, and taking in cold users and items.

Runs ``cfbench run --force`` as a user would, one cell at a time, and sets the whole command's wall seconds, from the
shell's first byte to its exit, against the seconds that the records give to the models' own work. Everything else
counts as the harness: starting Python, importing libraries, loading, splitting, masking and cutting lists, metrics,
intervals, writing, tables.

    python benchmarks/harness_overhead.py [--runs 3] [arguments of `cfbench run` ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds_of_models(folder: Path) -> float:
    """Add up the models' own work over the cells of a run, the parts that its closing table names so."""
    lines = map(json.loads, (folder / "records.jsonl").read_text("utf-8").splitlines())
    costs = [line["cost"]["seconds"] for line in lines if line["kind"] == "record"]
    return sum(cost.get(part, 0.0) for cost in costs for part in ("fit", "add_cold_entities", "predict"))


def measure(arguments: list[str]) -> tuple[float, float]:
    """Run once; return wall seconds of the command and of the models."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cfbench", "run", "--force", "--output", folder, *arguments]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - began, seconds_of_models(Path(folder))


def main() -> None:
    """Print the share of every run and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    known, rest = parser.parse_known_args()
    shares = []
    for _ in range(known.runs):
        whole, models = measure(rest)
        shares.append(1 - models / whole)
        print(f"whole {whole:.1f} s, models {models:.1f} s, harness {whole - models:.1f} s = {shares[-1]:.1%}")
    print(f"median share of the harness: {sorted(shares)[len(shares) // 2]:.1%}")


if __name__ == "__main__":
    main()

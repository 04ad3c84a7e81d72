"""Large data in little memory: the peaks of all processes of a run, as the kernel kept them."""

import json
import subprocess
import sys

import pytest

# A million ratings by 6,400 users of 2,400 items, the shape of MovieLens 25M. Their columns take 12 MB.
DATA = "synthetic[n_users=6400,n_items=2400,n_ratings=1000000]"
RUN = """
import sys
from cfbench.cli import main
from cfbench.resources.cost import peak_bytes
try:
    main()
finally:
    print("peak", peak_bytes(), file=sys.stderr)
"""
MEBIBYTE = 2**20


@pytest.mark.slow
def test_a_run_on_a_million_ratings_stays_below_400_mebibytes_in_every_process(tmp_path, monkeypatch):
    monkeypatch.setenv("CFBENCH_CACHE", str(tmp_path / "cache"))
    arguments = [
        "run",
        "-d",
        DATA,
        "-m",
        "bias",
        "-m",
        "als[epochs=2]",
        "-m",
        "popular",
        "-o",
        str(tmp_path / "run"),
    ]
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=True)
    records = [json.loads(line) for line in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    cells = [record for record in records if record["kind"] == "record"]
    assert [cell["status"] for cell in cells] == ["ok"] * 3
    assert max(cell["cost"]["peak_memory"] for cell in cells) < 400 * MEBIBYTE
    assert int(done.stderr.rpartition("peak ")[2]) < 400 * MEBIBYTE

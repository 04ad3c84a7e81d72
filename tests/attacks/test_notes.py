"""No cell leaves a note for another, or reads what is not its own: data, results, embedded ratings, other processes."""

from __future__ import annotations

import pytest

from cfbench.execution.sandbox import PROTECTIONS, protections

HONEST = ("honestnoise", "bias")

pytestmark = pytest.mark.skipif(
    set(protections(network=False)) != set(PROTECTIONS), reason="the kernel does not keep cells from all that is tried"
)


def test_no_place_that_a_cell_can_write_to_outlives_it(environment, run, alone):
    for name in ("honest", "notes"):
        environment.install_attack(name)
    ran = run(("notesbetweenfolds", *HONEST), "-s", "kfold[k=2]")
    assert ran.code == 0, ran.said
    assert set(ran.status.values()) == {"ok"}
    (held,) = {record["provenance"]["protections"] for record in ran.records.values()}
    assert held.split()[:-1] == list(PROTECTIONS)
    assert held.split()[-1] in ("watchdog", "cgroup-v1", "cgroup-v2")
    assert {record["provenance"]["network"] for record in ran.records.values()} == {"not allowed"}
    assert "system-calls" in ran.said
    assert ran.figures(HONEST) == alone("-s", "kfold[k=2]").figures(HONEST) != {}
    assert ran.left == []
    assert ran.temporary == []


def test_no_cell_reads_data_results_or_the_users_files_by_their_paths(environment, run, tmp_path):
    for name in ("honest", "notes"):
        environment.install_attack(name)
    rows = "".join(f"{user},{item},{(user * item) % 5 + 1}\n" for user in range(30) for item in range(0, 30, 2))
    (tmp_path / "ratings.csv").write_text(f"user,item,rating\n{rows}")
    (tmp_path / "secret").write_text("of the user")
    paths = f"{tmp_path}/ratings.csv:{tmp_path}/secret:/etc/../{tmp_path}/secret"
    ran = run((f"spies[paths={paths}]", *HONEST), data=str(tmp_path / "ratings.csv"))
    assert ran.code == 0, ran.said
    assert set(ran.status.values()) == {"ok"}
    assert ran.temporary == []

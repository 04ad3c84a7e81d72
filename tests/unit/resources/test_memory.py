"""Memory of the machine, and of its containers."""

from __future__ import annotations

import pytest

from cfbench.resources.cost import machine_bytes


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("content", "limited"), [("1048576\n", True), ("max\n", False), ("9223372036854771712", False)]
)
def test_a_containers_limit_of_memory_is_read_in_both_forms(tmp_path, name, content, limited):
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(content)
    assert (machine_bytes(tmp_path) == 2**20) == limited
    assert limited or machine_bytes(tmp_path) == machine_bytes(tmp_path / "none") > 2**20

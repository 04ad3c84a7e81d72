"""Families of metrics and their pages: grouping, broken plugins, escaping, stale pages."""

from __future__ import annotations

import pytest

from cfbench.errors import UsageError
from cfbench.registry.registry import Plugin
from cfbench.reporting.metric_pages import INDEX, file_of, metric_families, pages, write

INDEX_PAGE = "# All\n\n<!-- metrics -->\nold\n<!-- end of metrics -->\n\nby hand\n"
HOSTILE = """
from dataclasses import dataclass
from typing import ClassVar

from cfbench.evaluation.metrics.metric import Contract


@dataclass(frozen=True)
class Odd:
    \"\"\"Says <b>[odd](things)</b>.\"\"\"

    contract: ClassVar[Contract] = Contract(
        title="odd | <script>",
        formula="```\\n<b> | x",
        family="Odd/../Family",
        needs=("lists",),
        direction="none",
        averaging="*all*",
        cold_policy="none",
        source="[bold]nobody[/bold]",
    )
    k: int = 3
    depth: float | None = None


class Shapeless:
    \"\"\"Has no contract.\"\"\"
"""


def plugin(name: str, value: str, distribution: str = "stranger") -> Plugin:
    return Plugin("metric", name, value, distribution, "1.0")


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """An importable module with a metric that tries everything, and one that ends the process."""
    (tmp_path / "odd_metrics_of_a_stranger.py").write_text(HOSTILE)
    (tmp_path / "metrics_that_exit.py").write_text("raise SystemExit('no')\n\n\nclass Gone:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    return plugin("odd", "odd_metrics_of_a_stranger:Odd")


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Let the distributions named here be installed."""
    monkeypatch.setattr("cfbench.registry.registry.missing_packages", lambda distribution: ())


RMSE = plugin("RMSE", "cfbench.evaluation.metrics.accuracy:RMSE", "cfbench")
NDCG = plugin("NDCG", "cfbench.evaluation.metrics.ranking:NDCG", "cfbench")


def test_families_come_in_the_order_of_the_project_and_strangers_after(stranger):
    families, broken = metric_families([stranger, NDCG, RMSE])
    assert list(families) == ["accuracy", "ranking", "Odd/../Family"]
    assert not broken


def test_parameters_are_told_with_type_and_default(stranger):
    (metric,) = metric_families([stranger])[0]["Odd/../Family"]
    assert [text for heading, text in metric.definition if heading == "parameter"] == [
        "k: int = 3",
        "depth: float | None = None",
    ]


def test_a_metric_that_cannot_be_described_says_why_and_harms_no_other(stranger):
    no_module = plugin("lost", "there_is_no_such_module_here:Lost")
    shapeless = plugin("shapeless", "odd_metrics_of_a_stranger:Shapeless")
    exits = plugin("exits", "metrics_that_exit:Gone")
    families, broken = metric_families([no_module, shapeless, exits, RMSE])
    assert [metric.plugin for metric in families["accuracy"]] == [RMSE]
    assert "there is no module" in broken[no_module]
    assert "class attribute 'contract'" in broken[shapeless]
    assert "SystemExit: no" in broken[exits]


def test_a_page_states_every_field_of_the_contract():
    page = pages(metric_families([NDCG])[0], INDEX_PAGE)["ranking.md"]
    for text in ("## NDCG", "mean_u (sum_(j<=k)", "**cold policy**", "**candidates**", "Järvelin", "k: int = 10"):
        assert text in page


def test_the_index_keeps_what_is_written_by_hand_and_names_every_metric():
    index = pages(metric_families([NDCG, RMSE])[0], INDEX_PAGE)[INDEX]
    assert "by hand" in index
    assert "old" not in index
    assert "[RMSE](accuracy.md#rmse)" in index
    assert "[NDCG](ranking.md#ndcg)" in index
    assert pages(metric_families([NDCG, RMSE])[0], index)[INDEX] == index


def test_an_index_without_its_marks_is_an_error_that_names_them():
    with pytest.raises(UsageError, match="<!-- metrics -->"):
        pages(metric_families([NDCG])[0], "# All\n")


def test_what_strangers_state_cannot_break_out_of_the_page(stranger):
    texts = pages(metric_families([stranger])[0], INDEX_PAGE)
    assert set(texts) == {INDEX, "odd-family.md"}
    page = texts["odd-family.md"]
    assert "````text\n``` <b> | x\n````" in page, "the fence is longer than what is inside"
    outside = page.replace("``` <b> | x", "")
    assert "<script>" not in outside
    assert "<b>" not in outside
    assert "\\*all\\*" in outside
    assert "\\[odd\\](things)" in outside


@pytest.mark.parametrize(
    ("family", "name"), [("cold start", "cold-start.md"), ("../etc", "etc.md"), ("", "other.md"), ("Ä", "other.md")]
)
def test_a_page_is_named_after_its_family_in_plain_letters(family, name):
    assert file_of(family) == name


def test_writing_removes_generated_pages_of_families_that_are_no_more_and_nothing_else(tmp_path):
    (tmp_path / INDEX).write_text(INDEX_PAGE)
    write(tmp_path)
    ranking = (tmp_path / "ranking.md").read_text()
    (tmp_path / "gone.md").write_text(ranking)
    (tmp_path / "notes.md").write_text("mine\n")
    write(tmp_path)
    assert not (tmp_path / "gone.md").exists()
    assert (tmp_path / "notes.md").read_text() == "mine\n"
    assert (tmp_path / "ranking.md").read_text() == ranking

"""`cfbench verify` and `run --save-models`, end to end on a small file."""

import pytest

SUITE = """
datasets = ["ratings.csv"]
splits = ["repeated-holdout[n_repeats=2]"]
models = ["global-mean", "bias"]
metrics = ["RMSE"]

[[expected]]
metric = "RMSE"
source = "what it takes to be of use"
than = "global-mean"
at_most = {{ bias = {bound} }}
"""


@pytest.fixture
def write_suite(tmp_path, write_ratings):
    write_ratings(tmp_path / "ratings.csv")

    def write(bound):
        (tmp_path / "mine.toml").write_text(SUITE.format(bound=bound))

    return write


def test_a_claim_that_holds_ends_well_and_is_written_beside_the_tables(call_cfbench, tmp_path, write_suite):
    write_suite(-0.1)
    done = call_cfbench(tmp_path, "verify", "mine.toml")
    assert "1 met, 0 missed, 0 open" in done.stdout
    for name in ("verify.md", "verify.csv", "table.md", "records.jsonl"):
        assert (tmp_path / "runs" / "mine" / name).stat().st_size > 0


def test_a_miss_exits_with_1_and_nothing_is_computed_twice(call_cfbench, tmp_path, write_suite):
    write_suite(-0.1)
    call_cfbench(tmp_path, "verify", "mine.toml")
    write_suite(-9)
    done = call_cfbench(tmp_path, "verify", "mine.toml", code=1)
    assert "MISSED" in done.stdout
    assert done.stderr.count("kept ") == 4


def test_a_suite_that_states_nothing_is_the_users_mistake(call_cfbench, tmp_path):
    done = call_cfbench(tmp_path, "verify", "quick", code=2)
    assert "states nothing that could be verified" in done.stderr


def test_models_are_kept_where_asked_also_for_cells_that_were_finished(call_cfbench, tmp_path, write_suite):
    write_suite(-0.1)
    call_cfbench(tmp_path, "run", "mine.toml", "-m", "bias")
    run = tmp_path / "runs" / "mine-custom"
    assert not (run / "models").exists()
    call_cfbench(tmp_path, "run", "mine.toml", "-m", "bias", "--save-models")
    assert len(list((run / "models").glob("*/model.json"))) == 2
    again = call_cfbench(tmp_path, "run", "mine.toml", "-m", "bias", "--save-models")
    assert again.stderr.count("kept ") == 2

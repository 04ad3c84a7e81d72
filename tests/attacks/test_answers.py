"""Answers that no cell would have written lose the cell that wrote them, and nothing else."""

from __future__ import annotations

import itertools
import re

import pytest

HONEST = ("honestnoise", "bias")
HOWS = {
    "sparse": "predictions have shape",
    "means": "lists were changed after it was given the pairs",
    "factors": "lists were changed after it was given the pairs",
    "pipe": "no plain file",
    "device": "cannot be read",
    "folder": "cannot be read",
    "twice": "lists were changed after it was given the pairs",
    "below": "lists were changed after it was given the pairs",
    "seen": "lists were changed after it was given the pairs",
    "curve": "more than 8 MiB",
    "late": "cannot be read",
    "words": "cannot be read",
    "versions": "provenance",
    "never": "cannot be read",
    "early": "seconds",
    "ages": "seconds",
    "energy": "model_bytes",
}


@pytest.fixture(scope="module")
def installed(environment):
    environment.install_attack("honest")
    environment.install_attack("answers")


def test_tampered_answers_are_failures_of_their_cells_and_change_no_other(installed, run):
    models = [f"tampers[how={how}]" for how in HOWS]
    beside, alone = run([HONEST[0], *models, HONEST[1]], "--jobs", "2"), run(HONEST)
    assert alone.code == 0, alone.said
    found = {how: beside.records[f"tampers[how={how}]", ""] for how in HOWS}
    assert {record["status"] for record in found.values()} == {"failed"}
    assert {how: found[how]["reason"] for how, reason in HOWS.items() if reason not in found[how]["reason"]} == {}
    assert all(len(record["reason"]) < 1000 for record in found.values())
    assert beside.code == 1
    assert "Traceback" not in beside.said
    assert beside.figures(HONEST) == alone.figures(HONEST) != {}
    assert beside.left == beside.temporary == []


MEBIBYTE = 1 << 20


@pytest.fixture
def peaks(installed, environment, tmp_path, monkeypatch):
    """Let every run note the most memory that its own process has held; return it by run, in bytes."""
    note = "open(os.environ['NOTES_OF_PEAKS'], 'a').write(open('/proc/self/status').read())"
    pth = environment.packages / "zz_peak.pth"
    pth.write_text(
        "import atexit, os, sys; 'NOTES_OF_PEAKS' in os.environ and 'run' in sys.orig_argv and "
        f"atexit.register(lambda: {note})\n"
    )
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES_OF_PEAKS", str(notes))
    yield lambda: [
        1024 * int(kib)
        for kib in dict(re.findall(r"\nPid:\s*(\d+).*?VmHWM:\s*(\d+)", notes.read_text(), re.DOTALL)).values()
    ]
    pth.unlink()


def test_answers_that_claim_gigabytes_cost_the_run_no_memory(peaks, run):
    run(["honestnoise"])
    run(["honestnoise", *(f"tampers[how={how}]" for how in ("sparse", "means", "factors", "curve", "words"))])
    alone, beside = peaks()
    assert beside < alone + 64 * MEBIBYTE


def test_a_learning_curve_of_any_length_is_kept_with_as_many_points_as_can_be_read(peaks, run):
    ran = run(["honestnoise", "patient", "patient[epochs=9000]"])
    assert ran.code == 0, ran.said
    long, short = (ran.records[model, ""]["losses"] for model in ("patient", "patient[epochs=9000]"))
    assert [one["epoch"] for one in short] == list(range(1, 9001))
    steps = {b["epoch"] - a["epoch"] for a, b in itertools.pairwise(long[:-1])}
    assert 5000 < len(long) <= 10_000
    assert steps == {16}
    assert long[-1] == {"epoch": 100_000, "train_loss": 1e-5, "validation_loss": None}
    assert peaks()[0] < 400 * MEBIBYTE


def test_an_epoch_that_no_record_can_hold_is_the_models_failure(installed, run):
    models = ["reports", "reports[epoch=1e+300]", "reports[epoch=-1.0]"]
    ran = run(["honestnoise", *models, "bias"])
    assert ran.status == {"honestnoise": "ok", **dict.fromkeys(models, "failed"), "bias": "ok"}, ran.said
    assert all("expected numbers from 0 to" in ran.records[model, ""]["reason"] for model in models)


def test_floods_of_events_prints_and_words_change_nothing(installed, run):
    models = ["floods", "wordy", "extreme", "extreme[what=1e-45]"]
    beside, alone = run([HONEST[0], *models, HONEST[1]]), run(HONEST)
    assert set(beside.status.values()) == {"ok"}, beside.said
    assert beside.figures(HONEST) == alone.figures(HONEST)
    device = beside.records["wordy", ""]["cost"]["device"]
    assert len(device) <= 500
    assert "\n" not in device
    assert "\x1b" not in beside.said
    assert beside.left == beside.temporary == []


def test_folders_in_one_another_without_end_are_removed_and_end_no_run(installed, run):
    ran = run(["tampers[how=deep]", *HONEST])
    assert set(ran.status.values()) == {"ok"}, ran.said
    assert ran.temporary == []

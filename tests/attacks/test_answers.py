"""Answers that no cell would have written lose the cell that wrote them, and nothing else."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import subprocess

import pytest

HONEST = ("honestnoise", "bias")
HOWS = {
    "sparse": "predictions have shape",
    "means": "lists were changed after it was given the pairs",
    "factors": "item_factors have shape",
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


def test_tampered_answers_are_failures_of_their_cells_and_change_no_other(installed, run, alone):
    models = [f"tampers[how={how}]" for how in HOWS]
    beside = run([HONEST[0], *models, HONEST[1]], "--jobs", "2")
    found = {how: beside.records[f"tampers[how={how}]", ""] for how in HOWS}
    assert {record["status"] for record in found.values()} == {"failed"}
    assert {how: found[how]["reason"] for how, reason in HOWS.items() if reason not in found[how]["reason"]} == {}
    assert all(len(record["reason"]) < 1000 for record in found.values())
    assert beside.code == 1
    assert "Traceback" not in beside.said
    assert beside.figures(HONEST) == alone("-s", "holdout").figures(HONEST) != {}
    assert beside.left == beside.temporary == []


FORGED = {
    "twice": "a list names an item twice",
    "negative": "lists name items beyond the",
    "unknown": "lists name items beyond the",
    "largest": "lists name items beyond the",
    "holes": "a list goes on after its end",
    "seen": "a list names an item that its user has rated in training",
    "fewer": "lists have shape",
    "longer": "lists have shape",
    "floats": "lists must be int32",
    "objects": "lists.npy is no array of plain numbers",
    "infinite": "score_means hold infinities",
    "groups": "score_means have shape",
}
FEW = ("twice", "negative", "seen", "longer")
OWN_RIGHT = ("unsorted", "blank")
"""Nobody but the model knows its scores: lists that these could have given are its answers, and do it no good."""


@pytest.mark.parametrize("hows", [FEW, pytest.param((*FORGED,), marks=pytest.mark.slow)], ids=["few", "all"])
def test_forged_lists_are_told_by_what_is_wrong_with_them_and_the_folder_is_measured_again(
    installed, run, alone, environment, tmp_path, hows
):
    models = {f"forges[how={how}]": how for how in (*hows, *OWN_RIGHT)}
    ran = run([HONEST[0], *models, HONEST[1]], "--jobs", "2", into=tmp_path / "forged")
    honest = alone("-s", "holdout").figures(HONEST)
    status = dict.fromkeys(hows, "failed") | dict.fromkeys(OWN_RIGHT, "ok")
    assert {how: ran.status[model] for model, how in models.items()} == status, ran.said
    reasons = {how: ran.records[model, ""]["reason"] for model, how in models.items()}
    assert {how: reasons[how] for how in hows if FORGED[how] not in reasons[how]} == {}
    assert (ran.code, ran.left, ran.temporary) == (1, [], [])
    assert ran.figures(HONEST) == honest != {}
    command = [environment.python, "-m", "cfbench", "rescore", tmp_path / "forged"]
    again = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in again.stderr
    lines = map(json.loads, (tmp_path / "forged" / "records.jsonl").read_text("utf-8").splitlines())
    records = {(one["cell"]["model"], ""): one for one in lines if one["kind"] == "record"}
    assert {name: one["status"] for (name, _), one in records.items()} == ran.status, again.stderr + again.stdout
    assert dataclasses.replace(ran, records=records).figures(HONEST) == honest


def test_a_list_that_names_what_was_withheld_from_it_is_told(installed, run):
    split = ("-s", "cold-users[given=[0,2]]")
    ran, alone = run([*HONEST, "forges[how=withheld]"], *split), run(HONEST, *split)
    forged = {fold: record for (model, fold), record in ran.records.items() if model not in HONEST}
    assert "a list names an item that is withheld from it" in forged["s=0"]["reason"], ran.said
    assert {record["status"] for record in forged.values()} == {"failed"}
    assert ran.figures(HONEST) == alone.figures(HONEST) != {}
    assert (ran.left, ran.temporary) == ([], [])


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
    assert beside < alone + 256 * MEBIBYTE, "of several models, more is imported"


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


def test_floods_of_events_prints_and_words_change_nothing(installed, run, alone):
    models = ["floods", "wordy", "extreme", "extreme[what=1e-45]"]
    beside = run([HONEST[0], *models, HONEST[1]])
    assert set(beside.status.values()) == {"ok"}, beside.said
    assert beside.figures(HONEST) == alone("-s", "holdout").figures(HONEST)
    device = beside.records["wordy", ""]["cost"]["device"]
    assert len(device) <= 500
    assert "\n" not in device
    assert "\x1b" not in beside.said
    assert beside.left == beside.temporary == []


def test_folders_in_one_another_without_end_are_removed_and_end_no_run(installed, run):
    ran = run(["tampers[how=deep]", *HONEST])
    assert set(ran.status.values()) == {"ok"}, ran.said
    assert ran.temporary == []


@pytest.mark.parametrize("executor", ["processes", "in-process"])
def test_errors_that_are_hard_to_report_cost_their_own_cells_alone(installed, run, alone, executor):
    told = {"mute": "_Mute: its message cannot be told", "own": "_Own: own", "circle": "ValueError: round"}
    told |= {"leaves": "GeneratorExit", "exits": "SystemExit: 0", "interrupts": "KeyboardInterrupt, raised in attack_"}
    told |= {"stops": "cannot be told, _Stops", "unnamed": "cannot be told, _Unnamed"}
    models = {f"raises[what={what}]": what for what in told}
    ran = run([HONEST[0], *models, HONEST[1]], "--executor", executor)
    assert ran.status == {**dict.fromkeys(models, "failed"), **dict.fromkeys(HONEST, "ok")}, ran.said
    assert all(told[what] in ran.records[model, ""]["reason"] for model, what in models.items()), ran.said
    assert ran.figures(HONEST) == alone("-s", "holdout").figures(HONEST) != {}
    assert (ran.code, ran.left, ran.temporary) == (1, [], [])

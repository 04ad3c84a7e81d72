"""A model runs under the name of a distribution only where it is one of its files; what looks like another is told."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from cfbench.registry.code_identity import REMARKS

IMPOSTOR = b'''
import numpy as np


class Model:
    """Predicts nothing good."""

    def fit(self, train, context):
        pass

    def predict(self, users, items):
        return np.full(len(users), 1.0, dtype=np.float32)
'''
HONEST = ("honestnoise",)
NEIGHBOURS = ("implicit-als", "grand-mf")  # which others, that are merely installed, look like


def codes(record: dict) -> set[str]:
    return {warning["code"] for warning in record["warnings"]} & set(REMARKS)


@pytest.fixture(scope="module")
def place(make_environment):
    place = make_environment()
    place.install_attack("honest")
    # A package without a distribution, earlier on the path than the one that it hides.
    (place.packages / "cfbench_baselines").mkdir()
    for name in ("__init__", "bias", "popularity"):
        (place.packages / "cfbench_baselines" / f"{name}.py").write_bytes(IMPOSTOR.replace(b"Model", b"Bias"))
    # A distribution of a first-party name, spelled in another way, earlier on the path.
    place.install(
        "CFBench_Surprise", {"cfbench_surprise.py": IMPOSTOR}, models={"surprise-svd": "cfbench_surprise:Model"}
    )
    # A package of one distribution, in which another puts a module, a person a second, and an editor changes a third.
    files = {"victim/__init__.py": b"", "victim/model.py": IMPOSTOR, "victim/data.txt": b"1"}
    entries = {"victim": "victim.model:Model", "dropped": "victim.dropped:Model"}
    place.install("victim", files, models=entries)
    place.install("intruder", {"victim/intruder.py": IMPOSTOR}, models={"intruder": "victim.intruder:Model"})
    (place.packages / "victim" / "dropped.py").write_bytes(IMPOSTOR)
    (place.packages / "victim" / "data.txt").write_bytes(b"2")
    # Names that look like others, to a person and not to a program.
    place.install("cfbench-torhc", {"torhc.py": IMPOSTOR}, models={"nn-large": "torhc:Model"})
    place.install("cfbench-sclpy", {"sclpy.py": IMPOSTOR}, models={"b\u0456as": "sclpy:Model"})
    place.install("stain", {"stain.py": IMPOSTOR}, models={"implicit-a1s": "stain:Model", "grnad-mf": "stain:Model"})
    place.install("grand-models", {"grand.py": IMPOSTOR}, models={"grand-mf": "grand:Model"})
    place.install("grand-model", {"grand_model.py": IMPOSTOR}, models={"other": "grand_model:Model"})
    place.install("reversed", {"reversed_model.py": IMPOSTOR}, models={"honest\u202esvd": "reversed_model:Model"})
    return place


def said_by(place, *arguments: str) -> str:
    environ = {**os.environ, "HOME": str(place.home), "COLUMNS": "250"}
    command = [str(place.python), "-m", "cfbench", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=True).stdout


def test_who_ran_is_told_in_the_records(place, run, alone):
    models = ("bias", "surprise-svd", "victim", "dropped", "intruder", "nn-large", "b\u0456as", *NEIGHBOURS, *HONEST)
    ran = run(models, "-s", "holdout", place=place)
    records = {cell[0]: record for cell, record in ran.records.items()}
    assert ran.figures(HONEST) == alone("-s", "holdout").figures(HONEST) != {}
    assert ran.code == 1
    assert {name for name in models if records[name]["status"] == "skipped"} == {"bias", "dropped"}
    assert "which is no file of cfbench-baselines" in records["bias"]["reason"]
    assert "which is no file of victim 1.0" in records["dropped"]["reason"]
    assert codes(records["surprise-svd"]) == {"duplicate-distribution"}
    assert codes(records["victim"]) == {"foreign-files", "edited-code"}
    assert codes(records["nn-large"]) == codes(records["b\u0456as"]) == {"look-alike"}
    for name in NEIGHBOURS:
        assert (records[name]["status"], "look-alike" in codes(records[name])) == ("ok", False)
    assert codes(records["honestnoise"]) == codes(records["intruder"]) == set()
    assert records["victim"]["provenance"]["plugin-code"].startswith("victim 1.0, edited release, sha256 ")
    assert records["victim"]["provenance"]["cfbench-code"].startswith("cfbench ")
    assert (ran.left, ran.temporary) == ([], [])


def test_who_would_run_is_told_by_list_and_doctor(place):
    listed = said_by(place, "list", "models")
    for text in (
        "which is no file of cfbench-baselines",
        "modules of cfbench-baselines or of Python are hidden by others of the same name, earlier on the import path",
        "CFBench_Surprise is on the import path",
        "in packages of victim lie files that are not its own: victim/dropped.py, victim/intruder.py, but of intruder",
        "files of victim were changed since it was installed: victim/data.txt",
        "cfbench-torhc may not be what it seems: its name is one letter off cfbench-torch",
        "cfbench-sclpy may not be what it seems: its name looks like cfbench-scipy",
        "model implicit-a1s may not be what it seems: its name looks like implicit-als",
        "model grand-mf and another can be taken for each other: its name is one letter off grnad-mf",
        "model grnad-mf and another can be taken for each other: its name is one letter off grand-mf",
        "grand-models and another can be taken for each other: its name is one letter off grand-model",
        "model b\u0456as may not be what it seems: its name mixes letters of several scripts: cyrillic, latin",
    ):
        assert text in " ".join(listed.split()), text
    assert "\u202e" not in listed
    assert "model implicit-als may not" not in listed


def test_doctor_advises_to_uninstall_the_suspect_alone(place):
    environ = {**os.environ, "HOME": str(place.home)}
    command = [str(place.python), "-m", "cfbench", "doctor", "--json", "--time-limit", "120"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
    told = {one["text"]: one["remedy"] for one in json.loads(done.stdout)["findings"] if one["topic"] == "names"}
    removed = {remedy.split()[2].strip(",") for remedy in told.values() if remedy.startswith("pip uninstall")}
    assert removed == {"cfbench-torhc", "cfbench-sclpy", "stain", "reversed"}
    hides = str(place.packages / "cfbench_baselines" / "__init__.py")
    assert all(hides in remedy for text, remedy in told.items() if "hidden by others" in text)
    assert any("modules of cfbench-baselines or of Python" in text for text in told)
    alike = [text for text, remedy in told.items() if remedy == "make sure that the one you use is the one you mean"]
    assert len(alike) == 4
    assert all("grand" in text or "grnad" in text for text in alike)

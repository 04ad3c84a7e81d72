"""Honest models that do what a confined cell may not: their reasons say who refused it, and where to read on."""

from __future__ import annotations

import re

from cfbench.execution.sandbox import protections

PROCESSES = "multiprocessing do not work in them"
REFUSED = {
    "pools": PROCESSES,
    "threadpools": PROCESSES,
    "executors": PROCESSES,
    "managers": PROCESSES,
    "shares": PROCESSES,
    "connects": "unless --allow-network",
    "resolves": "unless --allow-network",
    "caches": "write their own files alone",
    "starts": "chmod has no effect",
}
ELSEWHERE = {
    "silent": r"EOFError, raised in attack_careless\.py, line \d+",
    "leaves": r"SystemExit: 3, raised in attack_careless\.py, line \d+",
    "stops": r".*a model leaves the clocks of Python's time module as they are",
}
HONEST = ("honestnoise", "bias", "popular")


def test_a_careless_model_is_told_what_refused_it_and_where_to_read_on(environment, run, alone):
    environment.install_attack("honest")
    environment.install_attack("careless")
    ran = run((*REFUSED, *ELSEWHERE, "threadsonly", *HONEST), "-s", "kfold[k=2]")
    assert ran.code == 1, ran.said
    assert ran.status == dict.fromkeys([*REFUSED, *ELSEWHERE], "failed") | dict.fromkeys(["threadsonly", *HONEST], "ok")
    for (model, _), record in ran.records.items():
        if model in REFUSED:
            told = (
                rf"; cfbench confines cells: .*{REFUSED[model]}.*; see 'What a model may count on' in docs/plugins\.md"
            )
            assert re.search(told, record["reason"]), record["reason"]
            assert "cfbench: cfbench confines cells: " in record["log_tail"]
        elif model in ELSEWHERE:
            assert re.fullmatch(ELSEWHERE[model], record["reason"]), record["reason"]
    assert "(logs/" in ran.said
    held = ", ".join(protections(network=False))
    assert f"Protections that held while cells ran (docs/security.md explains each): {held}, " in ran.said
    assert ran.figures(HONEST) == alone("-s", "kfold[k=2]").figures(HONEST)
    assert ran.left == ran.temporary == []


def test_nothing_is_said_of_confinement_where_there_is_none(environment, run):
    environment.install_attack("careless")
    ran = run(("silent", "resolves"), "--executor", "in-process")
    assert set(ran.status.values()) == {"failed"}
    assert "confines" not in ran.said


def test_an_allowed_network_that_is_not_there_is_none_of_our_refusals(environment, run):
    environment.install_attack("careless")
    ran = run(("connects", "pools"), "--allow-network")
    assert {model: "confines" in record["reason"] for (model, _), record in ran.records.items()} == {
        "connects": False,
        "pools": True,
    }

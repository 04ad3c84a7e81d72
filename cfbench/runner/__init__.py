"""The runner: a plan is carried out, resumed, rescored."""

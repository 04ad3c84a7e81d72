"""Rankers of the implicit library as cfbench models."""

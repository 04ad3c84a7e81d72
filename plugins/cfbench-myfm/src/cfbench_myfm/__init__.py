"""Recommenders of the myFM library as cfbench models."""
